// From noise to a picture, step by step: DDPM (Ho et al., 2020), DDIM with eta 0 (Song et al., 2021), Euler
// and Euler ancestral (Karras et al., 2022; k-diffusion), DPM-Solver++(2M) (Lu et al., 2022), as diffusers
// 0.35's schedulers of these names run them: timestep spacing "leading", no clipping, final sigma zero (DDIM
// ends at ᾱ of timestep 0, "set_alpha_to_one": false), DDPM's variance "fixed_small", DPM-Solver's lower
// order in the end.
#pragma once

#include <torch/types.h>

#include <vector>

#include "config/sampler.h"
#include "diffusion/noise_schedule.h"

namespace leco {

struct SamplerSettings {
  SamplerKind kind = SamplerKind::kDdpm;
  int64_t steps = 40;  // K
  Prediction prediction = Prediction::kEpsilon;
  int64_t offset = kRolloutOffset;
};

// What a multistep sampler knows of earlier steps. It belongs to the latents, so whoever holds those holds
// it.
struct SamplerMemory {
  torch::Tensor clean;  // x̂_0 of the step before, as x; undefined before it is needed

  void keep_rows(int64_t rows) {  // the first ones
    if (clean.defined()) clean = clean.narrow(0, 0, rows);
  }
};

// x is always of variance ᾱ·x_0² + 1 − ᾱ, for Euler too: diffusers' x there is ours times sqrt(σ² + 1), and
// so is its initial noise. So every sampler starts from standard normal noise, and the U-Net takes x as it
// is.
class Sampler {
 public:
  // A model that predicts epsilon needs a schedule with a signal at the first timestep: x0 cannot be told
  // from noise alone.
  explicit Sampler(const SamplerSettings& settings, const NoiseSchedule& schedule = NoiseSchedule());
  int64_t steps() const { return std::ssize(steps_); }
  int64_t timestep(int64_t step) const { return steps_[step].timestep; }
  bool draws_noise(int64_t step) const { return steps_[step].noise != 0; }

  // x_{i+1} from x_i, the prediction at timestep(i), and standard normal noise of the same shape where the
  // step draws any. The steps of one picture share a memory.
  torch::Tensor advance(int64_t step, const torch::Tensor& x, const torch::Tensor& prediction,
                        const torch::Tensor& noise, SamplerMemory& memory) const;

 private:
  // x' = x·x + prediction·prediction + noise·noise + earlier·(x̂_0 of the step before)
  struct Step {
    int64_t timestep;
    double x, prediction, noise, earlier;
    bool is_remembered;  // the next step asks for this one's x̂_0 = clean_x·x + clean_prediction·prediction
    double clean_x, clean_prediction;
  };
  std::vector<Step> steps_;
};

}  // namespace leco
