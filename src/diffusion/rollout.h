// From noise to the partly denoised latents x_k, or to a picture's, with classifier-free guidance. No
// gradient is kept.
#pragma once

#include <functional>
#include <optional>
#include <vector>

#include "diffusion/sampler.h"
#include "model/unet.h"

namespace leco {

// G items of B samples each, R = G·B rows; items that roll longer come first.
struct RolloutBatch {
  torch::Tensor latents;  // (R, 4, h, w), the initial noise
  torch::Tensor noise =
      {};  // (longest, R, 4, h, w): the sampler's noise of every step; undefined if it draws none
  // (G): after how many steps an item's latents are wanted, ascending; the last is the length of its rollout.
  // Items are in order of their lengths, and of the number of their stops, not ascending.
  std::vector<std::vector<int64_t>> stops = {};
  torch::Tensor prompts = {};            // (G, 77, D)
  torch::Tensor negatives = {};          // (G, 77, D); undefined where guidance has no second half to compute
  std::vector<double> multipliers = {};  // (G): the LoRA's strength
  int64_t samples = 1;                   // B
  int64_t lora_from = kTrainTimesteps;   // above this timestep the LoRA is off
  // SDXL: of the negatives, where there are any, then of the prompts.
  std::optional<AddedConditioning> added = {};
  std::function<void()> before_step = {};  // called before each step; by an exception it ends the rollout
};

// For each stop in turn the latents of the items that have it, (rows, 4, h, w): the first rows of the batch.
// Prediction: negative + guidance·(prompt − negative), LoRA on.
std::vector<torch::Tensor> roll_out(const UNet& unet, const Sampler& sampler, const RolloutBatch& batch,
                                    double guidance);

}  // namespace leco
