// The ancestral sampler of Ho et al., "Denoising Diffusion Probabilistic Models", 2020, as diffusers'
// DDPMScheduler runs it: timestep spacing "leading", offset 0, variance "fixed_small", no clipping of x0.
#pragma once

#include <torch/types.h>

#include <vector>

#include "diffusion/noise_schedule.h"

namespace leco {

class DdpmSampler {
 public:
  // `schedule` must have a signal at the first timestep where the model predicts epsilon: x0 cannot be told
  // from noise alone.
  DdpmSampler(int64_t inference_steps, Prediction prediction,
              const NoiseSchedule& schedule = NoiseSchedule());
  int64_t steps() const { return static_cast<int64_t>(steps_.size()); }
  int64_t timestep(int64_t step) const { return steps_[step].timestep; }  // (K−1−i)·⌊1000/K⌋ at step i

  // x_{i+1} from x_i, the prediction at timestep(i), and standard normal noise of the same shape.
  torch::Tensor advance(int64_t step, const torch::Tensor& x, const torch::Tensor& prediction,
                        const torch::Tensor& noise) const;

 private:
  // A step is linear: x' = x_weight·x + prediction_weight·prediction + noise_weight·noise.
  struct Step {
    int64_t timestep;
    double x_weight, prediction_weight, noise_weight;
  };
  std::vector<Step> steps_;
};

}  // namespace leco
