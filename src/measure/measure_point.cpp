#include "measure/measure_point.h"

#include <ATen/ATen.h>

#include "core/philox.h"

namespace leco {
namespace {

void fill_normal(torch::Tensor contiguous, uint64_t seed, Draws::Use use) {
  Draws(seed, use).fill_normal({contiguous.data_ptr<float>(), static_cast<size_t>(contiguous.numel())});
}

}  // namespace

std::vector<MeasurePoint> measure_points(int64_t samples) {
  std::vector<MeasurePoint> points;
  for (int64_t j = 0; j < samples; ++j) {
    const int64_t k = 1 + j * (kMeasureSteps - 1) / samples;
    points.push_back({j, k, (kMeasureSteps - 1 - k) * (1000 / kMeasureSteps)});
  }
  return points;
}

torch::Tensor initial_noise(const MeasurePoint& point, uint64_t seed, Resolution size) {
  torch::Tensor x = at::empty({1, 4, size.height / 8, size.width / 8}, torch::kFloat32);
  fill_normal(x, seed, {.purpose = Purpose::kInitialLatents, .step = kMeasureDrawStep, .item = point.index});
  return x;
}

torch::Tensor sampler_noise(const MeasurePoint& point, uint64_t seed, Resolution size) {
  torch::Tensor noise = at::empty({point.k, 1, 4, size.height / 8, size.width / 8}, torch::kFloat32);
  for (int64_t i = 0; i < point.k; ++i)
    fill_normal(noise[i], seed,
                {.purpose = Purpose::kSamplerNoise, .step = kMeasureDrawStep, .item = point.index, .sub = i});
  return noise;
}

}  // namespace leco
