#include "measure/picture_distance.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;

// (1, 3, H, W) in double.
Tensor as_channels(const Tensor& picture) {
  LECO_ASSERT(picture.dim() == 3 && picture.size(2) == 3 && picture.scalar_type() == torch::kUInt8);
  return picture.permute({2, 0, 1}).unsqueeze(0).to(torch::kFloat64);
}

}  // namespace

double mean_absolute_difference(const Tensor& a, const Tensor& b) {
  LECO_ASSERT(a.sizes() == b.sizes());
  return (as_channels(a) - as_channels(b)).abs().mean().item<double>();
}

double structural_similarity(const Tensor& a, const Tensor& b) {
  LECO_ASSERT(a.sizes() == b.sizes());
  LECO_ASSERT(a.size(0) >= kSimilarityWindow && a.size(1) >= kSimilarityWindow);
  constexpr double kRange = 255, kStabiliseMeans = 0.01 * 0.01 * kRange * kRange,
                   kStabiliseVariances = 0.03 * 0.03 * kRange * kRange;
  constexpr double kPixels = kSimilarityWindow * kSimilarityWindow, kSample = kPixels / (kPixels - 1);
  const auto window_mean = [](const Tensor& x) {
    return at::avg_pool2d(x, {kSimilarityWindow, kSimilarityWindow}, {1, 1});
  };
  const Tensor x = as_channels(a), y = as_channels(b);
  const Tensor x_mean = window_mean(x), y_mean = window_mean(y);
  const Tensor x_variance = kSample * (window_mean(x * x) - x_mean * x_mean);
  const Tensor y_variance = kSample * (window_mean(y * y) - y_mean * y_mean);
  const Tensor covariance = kSample * (window_mean(x * y) - x_mean * y_mean);
  const Tensor similarity =
      ((2 * x_mean * y_mean + kStabiliseMeans) * (2 * covariance + kStabiliseVariances)) /
      ((x_mean * x_mean + y_mean * y_mean + kStabiliseMeans) *
       (x_variance + y_variance + kStabiliseVariances));
  return similarity.mean().item<double>();
}

}  // namespace leco
