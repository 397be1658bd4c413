// What the difference of the trained prediction from the goal costs, element by element: --loss_type and the
// Huber losses' threshold at each timestep (docs/math.md).
#pragma once

#include <torch/types.h>

#include <vector>

#include "config/settings.h"
#include "diffusion/noise_schedule.h"

namespace leco {

// With d = e − y and the threshold c:
//   l2         d²
//   l1         |d|
//   huber      2c·(√(d² + c²) − c)   pseudo-Huber as in sd-scripts: d² for small d, 2c·|d| for large
//   smooth_l1  2·(√(d² + c²) − c)    d²/c for small d, 2·|d| for large
class DifferenceLoss {
 public:
  explicit DifferenceLoss(const TrainSettings& settings);

  // difference (R, 4, h, w), timesteps[i] that of its sample i. Returns (R, 4, h, w), differentiable.
  torch::Tensor operator()(const torch::Tensor& difference, const std::vector<int64_t>& timesteps) const;

  // c at a timestep. constant: s·c₀; exponential: s·c₀^(t/1000); snr: (1 − c₀)/(1 + σ)² + c₀ with σ² =
  // 1/SNR(t), which sd-scripts does not scale.
  double threshold(int64_t timestep) const;

 private:
  torch::Tensor pseudo_huber(const torch::Tensor& difference, const std::vector<int64_t>& timesteps) const;

  NoiseSchedule schedule_;
  LossType type_;
  HuberSchedule huber_schedule_;
  double huber_c_, huber_scale_;
};

}  // namespace leco
