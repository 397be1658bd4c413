// How the ranks were started: MPI, and the cores that each may use.
#pragma once

#include <string>

#include "health/check.h"

namespace leco {

struct LaunchFacts {
  std::string mpi = {};           // "Open MPI v4.1.4"; empty where no MPI launcher started this process
  std::string thread_level = {};  // "multiple"
  int ranks = 1, nodes = 1;
  int local_size = 1;
  int cores = 1;         // of the node
  int usable_cores = 1;  // of these, what the launcher lets this process use
  bool on_gpu = false;
};

// Facts about this process's cores; the rest is left to the caller.
LaunchFacts see_cores();

Check mpi_check(const LaunchFacts& facts);
Check cores_check(const LaunchFacts& facts);

}  // namespace leco
