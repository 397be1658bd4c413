#include "lora/stored_alpha.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "core/error.h"

namespace leco {

double take_alpha(StateDict& weights, const std::string& module, int64_t rank) {
  const std::string name = module + ".alpha";
  if (!weights.contains(name)) return static_cast<double>(rank);
  const std::vector<int64_t> shape = weights.find(name)->shape;
  const torch::Tensor stored = weights.take(name, shape);
  if (stored.numel() != 1)
    throw_usage(fmt::format("'{}': the alpha of '{}' has shape [{}], a single number is expected",
                            weights.origin(), module, fmt::join(shape, ", ")));
  const double alpha = stored.to(torch::kFloat64).reshape({}).item<double>();
  if (!std::isfinite(static_cast<float>(alpha)))
    throw_usage(fmt::format("'{}': the alpha of '{}' is {}, a finite number is expected", weights.origin(),
                            module, alpha));
  return alpha;
}

}  // namespace leco
