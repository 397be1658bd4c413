// How far apart two pictures are.
#pragma once

#include <torch/types.h>

namespace leco {

// Mean of |a − b| over all values. a, b (H, W, 3) uint8.
double mean_absolute_difference(const torch::Tensor& a, const torch::Tensor& b);

// The mean structural similarity of Wang et al., "Image quality assessment: from error visibility to
// structural similarity", 2004, as scikit-image's structural_similarity(a, b, win_size=7, data_range=255,
// channel_axis=-1) computes it with its other defaults: square windows of 7 pixels that lie wholly inside,
// all of equal weight, sample covariance, K1 = 0.01, K2 = 0.03; each channel by itself, then their mean.
// a, b (H, W, 3) uint8, H and W at least 7.
double structural_similarity(const torch::Tensor& a, const torch::Tensor& b);

inline constexpr int64_t kSimilarityWindow = 7;

}  // namespace leco
