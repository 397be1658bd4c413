// Whether the ranks of a job were started alike. Ranks with other words would draw what does not belong
// together and merge it without a complaint, or wait for each other in vain.
#pragma once

#include <string>
#include <vector>

#include "comm/communicator.h"

namespace leco {

// `words` of the command line, and the build of this program, must be rank 0's. Else throws a usage error,
// the same on every rank, that names the first rank that differs, its host, and in what. Collective over
// `comm`, which carries host memory; where all is well it sends one number a rank.
void check_same_start(Communicator& comm, const std::vector<std::string>& words);

}  // namespace leco
