#include "launcher/stop_signal.h"

#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstring>
#include <string_view>

#include "comm/watchdog.h"
#include "launcher/process.h"

namespace leco {
namespace {

std::atomic<int> first_signal{0};
static_assert(std::atomic<int>::is_always_lock_free);  // a handler may use it

void note_stop(int signal) {
  report_waits();  // mpirun sends SIGTERM when a rank was lost: this names what waits for it
  int none = 0;
  const bool is_first = first_signal.compare_exchange_strong(none, signal);
  if (!is_first && signal == SIGINT && first_signal == SIGINT) end_by_signal(signal);
  if (!is_first || signal != SIGINT) return;
  constexpr std::string_view kWhat =
      "\nleco: finishes this step and saves the state; Ctrl-C again ends at once\n";
  [[maybe_unused]] const auto written = write(STDERR_FILENO, kWhat.data(), kWhat.size());
}

}  // namespace

void catch_stop_signals() {
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) {
    struct sigaction before {};
    sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN) continue;  // nohup, or `&` in a script
    struct sigaction action {};
    action.sa_handler = note_stop;
    action.sa_flags = SA_RESTART;  // a read or a write of a file goes on
    sigaction(signal, &action, nullptr);
  }
}

int stop_signal() noexcept {
  return first_signal;
}

std::function<int()> stop_of_job(World& world) {
  return [&world] {
    if (const int signal = stop_signal()) world.ring(signal);
    return world.size() == 1 ? stop_signal() : world.heard();
  };
}

std::string signal_name(int signal) {
  const char* name = sigabbrev_np(signal);
  return name != nullptr ? std::string("SIG") + name : "signal " + std::to_string(signal);
}

}  // namespace leco
