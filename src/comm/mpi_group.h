// Private: a communicator of some ranks, made by these alone.
#pragma once

#include <mpi.h>

#include <vector>

namespace leco {

// In the order given. Collective over these ranks.
MPI_Comm make_group(const std::vector<int>& ranks_of_job);

}  // namespace leco
