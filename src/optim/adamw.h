// Loshchilov & Hutter, "Decoupled Weight Decay Regularization", 2019, as torch.optim.AdamW computes it.
#pragma once

#include <torch/types.h>

#include "config/settings.h"

namespace leco {

// Works on the LoRA's one flat buffer, so that an update is one pass over memory.
class AdamW {
 public:
  AdamW(const AdamWSettings& settings, const torch::Tensor& weights);  // weights (n), float32
  void step(torch::Tensor& weights, const torch::Tensor& gradient, double learning_rate);

 private:
  AdamWSettings settings_;
  torch::Tensor mean_, variance_;  // (n): running averages of the gradient and of its square
  torch::Tensor steps_;            // number of updates, as libtorch's fused kernel wants it
};

}  // namespace leco
