#include "optim/step_estimate.h"

#include <cmath>

namespace leco {

using torch::Tensor;

double inner_product(const Tensor& a, const Tensor& b) {
  return a.mul(b).sum(torch::kFloat64).item<double>();
}

double absolute_sum(const Tensor& a) {
  return a.abs().sum(torch::kFloat64).item<double>();
}

double bias_correction(const OptimizerSettings& settings, double steps) {
  if (!settings.use_bias_correction) return 1;
  return std::sqrt(1 - std::pow(settings.betas[1], steps + 1)) / (1 - std::pow(settings.betas[0], steps + 1));
}

Tensor sampled_places(const OptimizerTarget& target, int64_t every) {
  std::vector<Tensor> places;
  bool is_all = every == 1;
  for (const WeightSegment& segment : target.segments) {
    is_all = is_all && segment.rate_factor != 0;
    if (segment.rate_factor == 0) continue;
    places.push_back(at::arange(segment.offset, segment.offset + segment.count(), every, torch::kInt64));
  }
  if (is_all || places.empty()) return {};
  return at::cat(places).to(target.options.device());
}

}  // namespace leco
