#include "train/step_limit.h"

#include <algorithm>

#include "comm/watchdog.h"

namespace leco {

std::chrono::seconds StepLimit::limit(double load) const {
  constexpr double kMargin = 10, kMost = 1e9;
  if (seconds_a_load_ == 0 || load == 0) return kUnknown;
  const std::chrono::duration<double> expected(std::min(kMargin * seconds_a_load_ * load, kMost));
  return std::max(kDefaultLimit, std::chrono::ceil<std::chrono::seconds>(expected));
}

void StepLimit::expect(double load) const {
  set_collective_limit(limit(load));
}

void StepLimit::note(double load, double seconds) {
  if (load > 0) seconds_a_load_ = std::max(seconds_a_load_, seconds / load);
}

}  // namespace leco
