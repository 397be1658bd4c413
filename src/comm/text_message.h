// A text that one rank has and all need.
#pragma once

#include <string>

#include "comm/communicator.h"

namespace leco {

// Every rank gets `root`'s text. Collective; `comm` carries memory of `device`.
std::string broadcast_text(Communicator& comm, std::string text, int root,
                           torch::Device device = torch::kCPU);

}  // namespace leco
