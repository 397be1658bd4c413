// Seconds by phase, without those in which the process was suspended.
#pragma once

#include <torch/types.h>

#include <type_traits>

#include "comm/watchdog.h"
#include "train/step_message.h"

namespace leco {

// Adds the time of a piece of work to its phase. CUDA work is waited for at the end of the piece, so that the
// seconds are those of the phase that caused them.
class DeviceClock {
 public:
  DeviceClock(torch::Device device, PhaseSeconds& seconds) : device_(device), seconds_(seconds) {}

  template <class Work>
  auto time(Phase phase, Work work) {
    const auto start = AwakeClock::now();
    if constexpr (std::is_void_v<decltype(work())>) {
      work();
      add(phase, start);
    } else {
      auto result = work();
      add(phase, start);
      return result;
    }
  }

 private:
  void add(Phase phase, AwakeClock::time_point start);

  torch::Device device_;
  PhaseSeconds& seconds_;
};

}  // namespace leco
