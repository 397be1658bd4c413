#include "lora/stored_alpha.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>

#include "core/error.h"

namespace leco {

double take_alpha(StateDict& file, const std::string& module, int64_t rank) {
  const std::string name = module + ".alpha";
  if (!file.contains(name)) return static_cast<double>(rank);
  const std::vector<int64_t> shape = file.find(name)->shape;
  const torch::Tensor alpha = file.take(name, shape);
  std::string found = fmt::format("has shape [{}]", fmt::join(shape, ", "));
  if (alpha.numel() == 1) {
    const double value = alpha.to(torch::kFloat64).item<double>();
    if (std::isfinite(value)) return value;
    found = fmt::format("is {}", value);
  }
  throw_usage(fmt::format("'{}': the alpha of '{}' {}, a single finite number is expected", file.origin(),
                          module, found));
}

}  // namespace leco
