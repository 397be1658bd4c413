// The back-end over MPI: host tensors in place, CUDA tensors by way of host memory.
#pragma once

#include <climits>
#include <cstddef>
#include <memory>
#include <vector>

#include "comm/communicator.h"

namespace leco {

// All ranks of the job; MPI must be running (World). Collective. MPI counts are ints, so a longer tensor goes
// in several calls of at most `max_chunk` elements (bytes for a broadcast); tests set it low.
std::unique_ptr<Communicator> make_mpi_communicator(std::size_t max_chunk = INT_MAX);

// Some ranks of the job, in the order given. Collective over these alone.
std::unique_ptr<Communicator> make_mpi_group(const std::vector<int>& ranks_of_job);

}  // namespace leco
