#include "model/adapter.h"

#include <algorithm>

#include "model/to_device.h"

namespace leco {

AdapterPass adapters_on(const std::vector<double>& multipliers, torch::Device device) {
  const bool all_equal = std::ranges::count(multipliers, multipliers.front()) == std::ssize(multipliers);
  if (all_equal) return {.on = true, .multiplier = multipliers.front()};
  return {.on = true, .multipliers = to_device(at::tensor(multipliers, torch::kFloat32), device)};
}

}  // namespace leco
