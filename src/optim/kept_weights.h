// Between steps a schedule-free optimizer's weights are those it trains on, not those it would keep.
#pragma once

#include "optim/optimizer.h"

namespace leco {

// While it lives, `weights` holds what the optimizer keeps; afterwards it holds, bit for bit, what it held.
class KeptWeights {
 public:
  KeptWeights(const Optimizer& optimizer, torch::Tensor& weights) : weights_(weights) {
    const torch::NoGradGuard no_gradient;
    const torch::Tensor kept = optimizer.weights_to_keep(weights);
    if (kept.is_same(weights)) return;
    trained_on_ = weights.clone();
    weights.copy_(kept);
  }
  ~KeptWeights() {
    if (!trained_on_.defined()) return;
    const torch::NoGradGuard no_gradient;
    weights_.copy_(trained_on_);
  }
  KeptWeights(const KeptWeights&) = delete;
  KeptWeights& operator=(const KeptWeights&) = delete;

 private:
  torch::Tensor& weights_;
  torch::Tensor trained_on_;  // undefined where the two are the same
};

}  // namespace leco
