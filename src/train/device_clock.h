// Seconds by phase.
#pragma once

#include <torch/types.h>

#include <chrono>
#include <type_traits>

#include "train/step_message.h"

namespace leco {

// Adds the time of a piece of work to its phase. CUDA work is waited for at the end of the piece, so that the
// seconds are those of the phase that caused them.
class DeviceClock {
 public:
  DeviceClock(torch::Device device, PhaseSeconds& seconds) : device_(device), seconds_(seconds) {}

  template <class Work>
  auto time(Phase phase, Work work) {
    const auto start = std::chrono::steady_clock::now();
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
  void add(Phase phase, std::chrono::steady_clock::time_point start);

  torch::Device device_;
  PhaseSeconds& seconds_;
};

}  // namespace leco
