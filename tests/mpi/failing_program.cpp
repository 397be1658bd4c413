// Fails in a named way on rank 1 (rank 0 when alone) while the other ranks wait; failure_test.py looks at
// what happens.
#include <sys/types.h>
#include <torch/types.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <string>
#include <thread>

#include "comm/job.h"
#include "comm/watchdog.h"
#include "comm/world.h"
#include "core/error.h"
#include "core/log.h"

namespace {

using leco::Reduce;

void compute(int seconds) {
  std::this_thread::sleep_for(std::chrono::seconds(seconds));
}

void fail(leco::World& world, const std::string& way) {
  if (way == "throw") throw leco::Error("the loss is not finite at step 3");
  if (way == "usage") leco::throw_usage("--seed is 'abc'");
  if (way == "abort") world.host().abort("called by hand", 7);
  if (way == "segfault") std::raise(SIGSEGV);
  if (way == "exit") std::_Exit(5);
  if (way == "hang") compute(1000);
  if (way == "slow") compute(6);
  if (way == "stuck") {  // cannot end the job, since MPI's own abort hangs
    leco::join_job(world.rank(), world.size(), [](int) { compute(1000); });
    world.host().abort("the loss is not finite at step 3", 1);
  }
  if (way == "deaf") {  // hangs and cannot even be asked to end
    std::signal(SIGTERM, SIG_IGN);
    compute(1000);
  }
}

// Rank 1 asks rank 0 again and again what it waits for, until somebody who has seen the answer kills rank 1.
void be_killed(leco::World& world) {
  const auto processes = world.host().all_gather(getpid());
  for (; world.rank() == 1; compute(1)) kill(static_cast<pid_t>(processes[0]), SIGTERM);
}

void run(leco::World& world, const std::string& way) {
  const int last = world.size() - 1;
  if (way == "kill") be_killed(world);
  if (world.rank() == std::min(1, last)) fail(world, way == "escape" ? "throw" : way);
  const leco::Watch watch("merge of step 3", leco::kNoLimit);
  leco::set_collective_limit(leco::kDefaultLimit, /*usual=*/0.01);
  auto gradients = torch::ones({1000}, torch::kInt64);
  world.host().all_reduce(gradients, Reduce::kSum);
}

}  // namespace

int main(int, char** argv) {
  const std::string way = argv[1];
  try {
    leco::World world;
    leco::log::start(world.rank(), world.size());
    std::signal(SIGTERM, [](int) { leco::report_waits(); });
    try {
      run(world, way);
    } catch (const leco::Error& error) {
      if (way == "escape") throw;
      world.host().abort(error.what(), static_cast<int>(error.status()));
    }
    if (world.rank() == 0) leco::log::info("all is well");
    return 0;
  } catch (const leco::Error& error) {
    leco::log::error(error.what());
    return static_cast<int>(error.status());
  }
}
