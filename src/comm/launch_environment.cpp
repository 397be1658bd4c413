#include "comm/launch_environment.h"

#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <initializer_list>

#include "core/error.h"

namespace leco {
namespace {

// The first of the variables that holds a number of 1 or more, else 1.
int first_count(const ReadVariable& read, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const char* text = read(name);
    if (text == nullptr) continue;
    int count = 0;
    if (std::from_chars(text, text + std::strlen(text), count).ec == std::errc() && count >= 1) return count;
  }
  return 1;
}

}  // namespace

Launch detect_launch(const ReadVariable& read) {
  // mpirun within a Slurm job leaves Slurm's variables of its own daemons in place, so it is asked for first.
  if (read("OMPI_COMM_WORLD_SIZE") != nullptr) return {true, first_count(read, {"OMPI_COMM_WORLD_SIZE"})};
  if (read("MV2_COMM_WORLD_SIZE") != nullptr) return {true, first_count(read, {"MV2_COMM_WORLD_SIZE"})};
  for (const char* name : {"PMIX_RANK", "PMI_RANK", "PMI_SIZE", "PMI_FD"}) {
    if (read(name) != nullptr) return {true, first_count(read, {"PMI_SIZE", "SLURM_STEP_NUM_TASKS"})};
  }
  // Only srun sets this one; SLURM_NTASKS is also there in a batch script, where one process is one process.
  const int tasks = first_count(read, {"SLURM_STEP_NUM_TASKS"});
  if (tasks > 1) {
    throw_usage(
        fmt::format("srun started {} tasks without an MPI plugin, so they cannot find each other; "
                    "start them with: srun --mpi=pmix … (`srun --mpi=list` shows what this Slurm has)",
                    tasks));
  }
  return {};
}

}  // namespace leco
