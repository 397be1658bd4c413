#include "model/adapter.h"

#include <algorithm>

namespace leco {

AdapterPass adapters_on(const std::vector<double>& multipliers, torch::Device device) {
  const bool all_equal = std::ranges::count(multipliers, multipliers.front()) == std::ssize(multipliers);
  if (all_equal) return {.on = true, .multiplier = multipliers.front()};
  return {.on = true, .multipliers = at::tensor(multipliers, torch::kFloat32).to(device)};
}

}  // namespace leco
