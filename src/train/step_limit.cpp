#include "train/step_limit.h"

#include <algorithm>

#include "comm/watchdog.h"

namespace leco {

std::chrono::seconds StepLimit::limit(double load) const {
  constexpr double kMargin = 10, kMost = 1e9;
  const double usual = pace_.expect(load);
  if (usual == 0) return kUnknown;
  const std::chrono::duration<double> longest(std::min(kMargin * usual, kMost));
  return std::max(kDefaultLimit, std::chrono::ceil<std::chrono::seconds>(longest));
}

void StepLimit::expect(double load) const {
  set_collective_limit(limit(load), pace_.expect(load));
}

}  // namespace leco
