#include "measure/measure_point.h"

#include <ATen/ATen.h>

#include "diffusion/normal_tensor.h"

namespace leco {

std::vector<MeasurePoint> measure_points(int64_t samples) {
  std::vector<MeasurePoint> points;
  for (int64_t j = 0; j < samples; ++j) {
    const int64_t k = 1 + j * (kMeasureSteps - 1) / samples;
    points.push_back({j, k, (kMeasureSteps - 1 - k) * (1000 / kMeasureSteps)});
  }
  return points;
}

torch::Tensor initial_noise(const MeasurePoint& point, uint64_t seed, Resolution size) {
  return normal_tensor({1, 4, size.height / 8, size.width / 8}, seed,
                       {.purpose = Purpose::kInitialLatents, .step = kMeasureDrawStep, .item = point.index});
}

torch::Tensor sampler_noise(const MeasurePoint& point, uint64_t seed, Resolution size) {
  std::vector<torch::Tensor> steps;
  for (int64_t i = 0; i < point.k; ++i)
    steps.push_back(normal_tensor(
        {1, 4, size.height / 8, size.width / 8}, seed,
        {.purpose = Purpose::kSamplerNoise, .step = kMeasureDrawStep, .item = point.index, .sub = i}));
  return at::stack(steps);
}

}  // namespace leco
