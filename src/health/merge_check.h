// Whether the collectives that training merges gradients with give exact sums, and how fast.
#pragma once

#include <cstdint>
#include <string>

#include "comm/communicator.h"
#include "health/check.h"

namespace leco {

struct MergeTrial {
  std::string backend = {};  // "NCCL 2.28.9", "MPI"
  int ranks = 1;
  int64_t bytes = 0;         // of the message that was timed
  double seconds = 0;        // its fastest all-reduce
  std::string mistake = {};  // the first result that is not the known one; empty: all are exact
  bool over_nccl = false;
};

// Sums 16 MB of 64-bit integers (what a step of SD 1.x at rank 4 sends), and takes a maximum and a broadcast,
// all with answers that are known beforehand. `comm` is what training would use on `device`. Collective;
// backend and over_nccl are left to the caller.
MergeTrial try_merge(Communicator& comm, torch::Device device);

Check merge_check(const MergeTrial& trial);

}  // namespace leco
