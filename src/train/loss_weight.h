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
  double at(int64_t timestep) const;

 private:
  NoiseSchedule schedule_;
  Prediction prediction_;
  double min_snr_gamma_;
};

}  // namespace leco
