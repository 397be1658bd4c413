// How this process was started, told from the environment, before MPI is touched.
#pragma once

#include <functional>

namespace leco {

struct Launch {
  bool by_mpi = false;  // an MPI launcher started this process, so MPI_Init will find its peers
  int tasks = 1;        // how many processes the launcher says it started; 1 also where it does not say
};

// Reads a variable of the environment; null if it is not set.
using ReadVariable = std::function<const char*(const char*)>;

// Knows Open MPI's mpirun, PMIx (srun --mpi=pmix, prterun), PMI-1/2 (MPICH's and Intel's mpirun, srun
// --mpi=pmi2) and MVAPICH2. Several tasks of an srun without an MPI plugin would train the same thing side by
// side and overwrite each other's files: that is a usage error, which names the flag that helps.
Launch detect_launch(const ReadVariable& read);

}  // namespace leco
