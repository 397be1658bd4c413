#include "health/launch_checks.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>

namespace leco {
namespace {

std::string count_of(int count, const char* what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

LaunchFacts see_cores() {
  LaunchFacts facts;
  facts.cores = facts.usable_cores = static_cast<int>(std::max(1L, sysconf(_SC_NPROCESSORS_ONLN)));
  cpu_set_t bound;
  if (sched_getaffinity(0, sizeof bound, &bound) == 0) facts.usable_cores = CPU_COUNT(&bound);
  return facts;
}

Check mpi_check(const LaunchFacts& facts) {
  if (facts.mpi.empty()) return {"MPI", Verdict::kOk, "not used: one process, started by no MPI launcher"};
  const std::string found = fmt::format("{}, thread level {}; {} on {}", facts.mpi, facts.thread_level,
                                        count_of(facts.ranks, "rank"), count_of(facts.nodes, "node"));
  if (facts.thread_level == "multiple") return {"MPI", Verdict::kOk, found};
  return {"MPI", Verdict::kWarning, found + ": the watchdog can then end only its own rank",
          "use an MPI with MPI_THREAD_MULTIPLE, or srun -K1, which ends the others"};
}

Check cores_check(const LaunchFacts& facts) {
  if (facts.local_size > facts.cores)
    return {"cores", Verdict::kWarning,
            fmt::format("{} share the node's {}, which is slow beyond proportion",
                        count_of(facts.local_size, "rank"), count_of(facts.cores, "core")),
            "start fewer ranks a node"};
  const int share = facts.cores / facts.local_size;
  const std::string found =
      fmt::format("each rank may use {} of the node's {}", facts.usable_cores, facts.cores);
  if (facts.usable_cores < share && !facts.on_gpu)
    return {"cores", Verdict::kWarning, fmt::format("{}; its share is {}", found, share),
            fmt::format("mpirun --map-by slot:PE={0} or --bind-to none, srun --cpus-per-task={0}", share)};
  return {"cores", Verdict::kOk, found};
}

}  // namespace leco
