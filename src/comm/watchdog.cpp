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
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>

#include "comm/job.h"
#include "core/error.h"
#include "core/host_name.h"
#include "core/log.h"

namespace leco {
namespace {

using std::chrono::seconds;

constexpr auto kPoll = std::chrono::milliseconds(100);
constexpr auto kUsualWait = std::chrono::milliseconds(300);  // mpirun kills one second after its SIGTERM
constexpr auto kSuspended = std::chrono::seconds(1);  // without a poll; a busy machine delays one by less

std::atomic<seconds> limit_of_program{kDefaultLimit};
std::atomic<double> usual_of_program{0};
std::atomic<bool> report_requested{false};

// In seconds, from which on it is told: far from what happens by itself, and long before the
// deadline.
double late_after(double usual) {
  constexpr double kMargin = 5, kLeast = 30;
  return std::max(kMargin * usual, std::min(kLeast, static_cast<double>(work_limit().count()) / 10));
}

// Also where lines of a sweep's run go to the run's log, and those of most ranks nowhere.
void tell(const std::string& line) {
  log::warning(line);
  if (log::is_diverted()) log::headline(line);
}

std::string this_rank() {
  return fmt::format("rank {} on {}", job_rank(), host_name());
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

  Watch::Wait remove(std::list<Watch::Wait>::iterator wait) {
    const std::lock_guard lock(mutex_);
    Watch::Wait removed = std::move(*wait);
    waits_.erase(wait);
    return removed;
  }

  AwakeClock::time_point now() {
    const std::lock_guard lock(clock_mutex_);
    const auto now = std::chrono::steady_clock::now();
    if (now - last_reading_ > kSuspended) suspended_ += now - last_reading_;
    last_reading_ = now;
    return AwakeClock::time_point((now - suspended_).time_since_epoch());
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
      now_ = now();
      report_long_waits();
      for (auto& wait : waits_) {
        if (wait.limit != kNoLimit && waited(wait) > wait.limit.count()) give_up(wait);
        if (wait.usual > 0 && !wait.was_told && waited(wait) > late_after(wait.usual)) tell_late(wait);
      }
    }
  }

  double waited(const Watch::Wait& wait) const {
    return std::chrono::duration<double>(now_ - wait.start).count();
  }

  void tell_late(Watch::Wait& wait) const {
    wait.was_told = true;
    const std::string end =
        wait.limit == kNoLimit
            ? ""
            : fmt::format("; the job ends when it is not done after {} s", wait.limit.count());
    if (wait.of == Watch::Of::kMyself)
      tell(fmt::format("{}: {} has taken {:.1f} s so far, and {:.2f} s would be usual{}", this_rank(),
                       operations(), waited(wait), wait.usual, end));
    else
      tell(
          fmt::format("{} has waited for {:.1f} s in {}, and a whole step takes {:.2f} s; a rank that says "
                      "that its work takes long is the cause, else the network, or a process that is "
                      "suspended{}",
                      this_rank(), waited(wait), operations(), wait.usual, end));
  }

  // A wait that goes on after a signal: that of a rank that stops in order is over soon.
  void report_long_waits() {
    if (report_requested.exchange(false)) report_at_ = now_ + kUsualWait;
    if (!report_at_ || now_ < *report_at_) return;
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
  AwakeClock::time_point now_;  // at this poll
  std::optional<AwakeClock::time_point> report_at_;
  std::mutex clock_mutex_;  // taken last
  std::chrono::steady_clock::time_point last_reading_ = std::chrono::steady_clock::now();
  std::chrono::steady_clock::duration suspended_{0};
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

void set_collective_limit(seconds limit, double usual) {
  if (limit <= seconds::zero()) throw Error(fmt::format("a limit of {} s for a collective", limit.count()));
  limit_of_program = limit;
  usual_of_program = usual;
}

CollectiveLimit::CollectiveLimit(seconds limit) : before_(limit_of_program), usual_before_(usual_of_program) {
  set_collective_limit(limit);
}

CollectiveLimit::~CollectiveLimit() {
  limit_of_program = before_;
  usual_of_program = usual_before_;
}

seconds work_limit() {
  return std::max(seconds(1), collective_limit() * 3 / 4);
}

AwakeClock::time_point AwakeClock::now() {
  return Watchdog::instance().now();
}

Watch::Watch(std::string operation, seconds limit, Of of)
    : wait_(Watchdog::instance().add({std::move(operation), AwakeClock::now(), limit, of})) {}

Watch::Watch(Wait wait, Pace* pace, double load)
    : pace_(pace), load_(load), wait_(Watchdog::instance().add(std::move(wait))) {}

Watch Watch::of_my_work(std::string operation, Pace& pace, double load) {
  return Watch({.operation = std::move(operation),
                .start = AwakeClock::now(),
                .limit = job_size() > 1 ? work_limit() : kNoLimit,
                .of = Of::kMyself,
                .usual = pace.expect(load)},
               &pace, load);
}

Watch Watch::of_collective(std::string operation, int rank) {
  return Watch({.operation = std::move(operation),
                .start = AwakeClock::now(),
                .limit = collective_limit(),
                .usual = rank == 0 ? usual_of_program.load() : 0});
}

Watch::~Watch() {
  const Wait wait = Watchdog::instance().remove(wait_);
  const bool says_something = pace_ != nullptr || wait.was_told;
  if (!says_something || std::uncaught_exceptions() > 0) return;  // what was broken off says nothing
  const double took = std::chrono::duration<double>(AwakeClock::now() - wait.start).count();
  if (pace_ != nullptr) pace_->note(load_, took);
  if (wait.was_told) tell(fmt::format("{}: {} is done after {:.1f} s", this_rank(), wait.operation, took));
}

void report_waits() noexcept {
  report_requested = true;
}

}  // namespace leco
