// A short text of each rank, such as its host's name, on every rank.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"

namespace leco {

// In rank order; cut behind `width` bytes. One all-reduce of 4·width bytes a rank, where a broadcast from
// each would be as many messages as the square of the ranks. Texts hold no zero byte.
std::vector<std::string> gather_texts(Communicator& comm, const std::string& mine, int64_t width = 64);

}  // namespace leco
