// How much a loss counts at the timestep that it is taken at (SPEC section 1, step 8; docs/math.md). What
// other settings make of the timestep belongs here too.
#pragma once

#include "config/settings.h"
#include "diffusion/noise_schedule.h"

namespace leco {

class LossWeight {
 public:
  LossWeight(const TrainSettings& settings, Prediction prediction);

  // The factor of a sample's loss at timestep t, 0 … 999; exactly 1 where no setting weighs timesteps.
  // Settings that are given together are multiplied, as in sd-scripts. With a zero terminal SNR t is below
  // 999, where no rollout ends.
  double at(int64_t timestep) const;

 private:
  double of_min_snr(double snr) const;
  double of_noise_scale(double snr) const;
  double of_debiasing(double snr) const;

  NoiseSchedule schedule_;
  bool predicts_noise_;
  double min_snr_gamma_;
  bool like_noise_, debiased_;
};

}  // namespace leco
