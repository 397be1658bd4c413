// From numbers, such as a timestep or a size in pixels, to the features that tell them to the resnets.
// Reference: diffusers' Timesteps (flip_sin_to_cos, freq_shift 0) and TimestepEmbedding.
#pragma once

#include "model/frozen_linear.h"
#include "model/weight_scope.h"

namespace leco {

// cos and sin of a number at falling frequencies, from 1 to nearly 1/10000.
class Sinusoids {
 public:
  Sinusoids(int64_t features, torch::Device device);             // features: even
  torch::Tensor operator()(const torch::Tensor& numbers) const;  // (n), any type → (n, features), float32

 private:
  torch::Tensor frequencies_;  // (features/2)
};

// Two linear layers with silu between: linear_1, linear_2 of `scope`.
class EmbeddingLayers {
 public:
  EmbeddingLayers(const WeightScope& scope, int64_t in, int64_t out);
  torch::Tensor operator()(const torch::Tensor& x) const;  // (n, in) → (n, out)

 private:
  FrozenLinear linear_1_, linear_2_;
};

}  // namespace leco
