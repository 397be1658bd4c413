#include "comm/job.h"

#include <fmt/format.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdlib>
#include <string>

#include "core/log.h"

namespace leco {
namespace {

constexpr unsigned kGraceSeconds = 10;

std::atomic<int> rank_of_process{0};
std::atomic<int> size_of_job{1};
std::atomic<KillJob> kill_job{nullptr};

void log_end(std::string_view reason) noexcept {
  if (reason.empty()) return;
  try {
    const std::string text(reason);
    log::error(job_size() == 1 ? text
                               : fmt::format("rank {} of {} ends the job: {}", job_rank(), job_size(), text));
  } catch (...) {  // out of memory: ending matters more than saying why
  }
}

}  // namespace

void join_job(int rank, int size, KillJob kill) {
  rank_of_process = rank;
  size_of_job = size;
  kill_job = kill;
}

void leave_job() {
  join_job(0, 1, nullptr);
}

int job_rank() noexcept {
  return rank_of_process;
}
int job_size() noexcept {
  return size_of_job;
}

void end_job(std::string_view reason, int status) noexcept {
  log_end(reason);
  if (const KillJob kill = kill_job) {
    // MPI's own abort may block when the library is the thing that hangs; the launcher ends the rest when we
    // die.
    std::signal(SIGALRM, SIG_DFL);
    ::alarm(kGraceSeconds);
    kill(status);
  }
  std::_Exit(status);
}

}  // namespace leco
