#include "comm/watchdog.h"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "comm/job.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kUsualWait = std::chrono::milliseconds(300);  // mpirun kills one second after its SIGTERM

std::atomic<seconds> limit_of_program{kDefaultLimit};
std::atomic<bool> report_requested{false};

double waited(const Watch::Wait& wait) {
  return std::chrono::duration<double>(Clock::now() - wait.start).count();
}

// One thread that looks at the open waits ten times a second: cheaper than waking it for every collective.
class Watchdog {
 public:
  static Watchdog& instance() {
    static Watchdog watchdog;
    return watchdog;
  }

  std::list<Watch::Wait>::iterator add(Watch::Wait wait) {
    const std::lock_guard lock(mutex_);
    return waits_.insert(waits_.end(), std::move(wait));
  }

  void remove(std::list<Watch::Wait>::iterator wait) {
    const std::lock_guard lock(mutex_);
    waits_.erase(wait);
  }

 private:
  Watchdog() {
    // Signals belong to the program's own threads, whose handlers and interrupted calls count on them.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::jthread([this](std::stop_token stop) { run(stop); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void run(std::stop_token stop) {
    std::unique_lock lock(mutex_);
    while (!changed_.wait_for(lock, stop, kPoll, [&] { return stop.stop_requested(); })) {
      report_long_waits();
      for (const auto& wait : waits_) {
        if (wait.limit != kNoLimit && waited(wait) > wait.limit.count()) give_up(wait);
      }
    }
  }

  // A wait that goes on after a signal: that of a rank that stops in order is over soon.
  void report_long_waits() {
    if (report_requested.exchange(false)) report_at_ = Clock::now() + kUsualWait;
    if (!report_at_ || Clock::now() < *report_at_) return;
    const bool is_long = !waits_.empty() && waits_.back().of == Watch::Of::kOthers &&
                         waits_.back().start < *report_at_ - kUsualWait;
    report_at_.reset();
    if (!is_long) return;
    log::warning(fmt::format("rank {}: a signal came after {:.1f} s of waiting in {}", job_rank(),
                             waited(waits_.back()), operations()));
  }

  [[noreturn]] void give_up(const Watch::Wait& wait) const noexcept {
    const auto limit = wait.limit.count();
    const char* why = wait.of == Watch::Of::kOthers ? "another rank is lost, hangs or is slower than that"
                                                    : "this rank hangs, or is slower than that";
    end_job(fmt::format("{} has not returned for {} s: {} (LECO_TIMEOUT_SECONDS sets the limit)",
                        operations(), limit, why),
            static_cast<int>(ExitStatus::kFailure));
  }

  // Innermost first.
  std::string operations() const {
    std::string text;
    for (auto wait = waits_.rbegin(); wait != waits_.rend(); ++wait) {
      text += (text.empty() ? "" : ", in ") + wait->operation;
    }
    return text;
  }

  std::mutex mutex_;
  std::condition_variable_any changed_;
  std::list<Watch::Wait> waits_;
  std::optional<Clock::time_point> report_at_;
  std::jthread thread_;  // last, so that it ends before what it reads
};

std::optional<seconds> limit_of_environment() {
  const char* text = std::getenv("LECO_TIMEOUT_SECONDS");
  if (text == nullptr) return std::nullopt;
  constexpr int kMost = 1'000'000;
  int value = 0;
  const char* end = text + std::strlen(text);
  const auto parsed = std::from_chars(text, end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < 1 || value > kMost) {
    throw_usage(fmt::format("LECO_TIMEOUT_SECONDS is '{}'; give a whole number of seconds from 1 to {}", text,
                            kMost));
  }
  return seconds(value);
}

}  // namespace

seconds collective_limit() {
  static const std::optional<seconds> environment = limit_of_environment();
  return environment ? *environment : limit_of_program.load();
}

void set_collective_limit(seconds limit) {
  if (limit <= seconds::zero()) throw Error(fmt::format("a limit of {} s for a collective", limit.count()));
  limit_of_program = limit;
}

seconds work_limit() {
  return std::max(seconds(1), collective_limit() * 3 / 4);
}

Watch::Watch(std::string operation, seconds limit, Of of)
    : wait_(Watchdog::instance().add({std::move(operation), Clock::now(), limit, of})) {}

Watch Watch::of_my_work(std::string operation) {
  return Watch(std::move(operation), job_size() > 1 ? work_limit() : kNoLimit, Of::kMyself);
}

Watch::~Watch() {
  Watchdog::instance().remove(wait_);
}

void report_waits() noexcept {
  report_requested = true;
}

}  // namespace leco
