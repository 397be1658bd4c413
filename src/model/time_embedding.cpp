#include "model/time_embedding.h"

#include <cmath>

#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

FrozenLinear load_linear(const WeightScope& scope, int64_t in, int64_t out) {
  return {scope.take("weight", {out, in}), scope.take("bias", {out})};
}

Tensor falling_frequencies(int64_t count) {
  const Tensor exponent =
      at::arange(count, torch::kFloat32) * (-std::log(10000.0)) / static_cast<double>(count);
  return exponent.exp();
}

}  // namespace

Sinusoids::Sinusoids(int64_t features, torch::Device device)
    : frequencies_(falling_frequencies(features / 2).to(device)) {}

Tensor Sinusoids::operator()(const Tensor& numbers) const {
  const Tensor angles =
      to_device(numbers.to(torch::kFloat32), frequencies_.device()).unsqueeze(1) * frequencies_;
  return at::cat({angles.cos(), angles.sin()}, 1);
}

EmbeddingLayers::EmbeddingLayers(const WeightScope& scope, int64_t in, int64_t out)
    : linear_1_(load_linear(scope / "linear_1", in, out)),
      linear_2_(load_linear(scope / "linear_2", out, out)) {}

Tensor EmbeddingLayers::operator()(const Tensor& x) const {
  return linear_2_(at::silu(linear_1_(x)));
}

}  // namespace leco
