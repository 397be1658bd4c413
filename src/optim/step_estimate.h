// What Prodigy and D-Adaptation share: sums over all weights, from which they estimate their step size.
#pragma once

#include "optim/optimizer.h"

namespace leco {

// Added up in double: the originals add float32 sums of single tensors, in double as well.
double inner_product(const torch::Tensor& a, const torch::Tensor& b);
double absolute_sum(const torch::Tensor& a);

// Adam's two corrections as one factor, where use_bias_correction asks for it; else 1. `steps` finished.
double bias_correction(const OptimizerSettings& settings, double steps);

// Every n-th place of each segment, for segments that are trained: (m) int64. Undefined where that is all.
torch::Tensor sampled_places(const OptimizerTarget& target, int64_t every);

}  // namespace leco
