// A text that one rank has and all need.
#pragma once

#include <string>

#include "comm/communicator.h"

namespace leco {

// Every rank gets `root`'s text. Collective; `comm` carries host memory.
std::string broadcast_text(Communicator& comm, std::string text, int root);

}  // namespace leco
