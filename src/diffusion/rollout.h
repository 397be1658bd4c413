// From noise to the partly denoised latents x_k, with classifier-free guidance. No gradient is kept.
#pragma once

#include <optional>
#include <vector>

#include "diffusion/ddpm.h"
#include "model/unet.h"

namespace leco {

// G items of B samples each, R = G·B rows; items that roll longer come first.
struct RolloutBatch {
  torch::Tensor latents;                 // (R, 4, h, w), the initial noise
  torch::Tensor noise;                   // (longest, R, 4, h, w): the sampler's noise of every step
  std::vector<int64_t> lengths = {};     // (G): k of each item, not ascending
  torch::Tensor prompts = {};            // (G, 77, D)
  torch::Tensor negatives = {};          // (G, 77, D); undefined where guidance has no second half to compute
  std::vector<double> multipliers = {};  // (G): the LoRA's strength
  int64_t samples = 1;                   // B
  // SDXL: of the negatives, where there are any, then of the prompts.
  std::optional<AddedConditioning> added = {};
};

// x_k of every sample, (R, 4, h, w). Prediction: negative + guidance·(prompt − negative), LoRA on.
torch::Tensor roll_out(const UNet& unet, const DdpmSampler& sampler, const RolloutBatch& batch,
                       double guidance);

}  // namespace leco
