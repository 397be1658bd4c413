// Pictures of a prompt at several strengths of a LoRA, as latents: a row of the grids that `leco sample`,
// previews and `leco evaluate` show.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "config/sampler.h"
#include "diffusion/noise_schedule.h"
#include "model/family.h"
#include "model/unet.h"
#include "text/prompt_embeddings.h"

namespace leco {

// One noise, one picture for each scale.
struct DrawingRow {
  std::string prompt = {};
  std::string negative = {};
  int64_t height = 512, width = 512;   // pixels, multiples of 8
  std::vector<double> scales = {1.0};  // the LoRA's strength in each column
  uint64_t seed = 1;
  int64_t item = 0;  // the row's place among those of one seed: each has noise of its own
  int64_t steps = 30;
  double guidance = 7.5;  // classifier-free, away from `negative`
  SamplerKind sampler = SamplerKind::kDdim;
  int64_t start_noise =
      kTrainTimesteps;  // above this timestep the LoRA is off, so that the composition stays

  // Whether there is an unconditional half to compute.
  bool is_guided() const { return guidance != 1.0 && prompt != negative; }
};

// What draws: the LoRA is whatever is attached to the U-Net.
struct DrawingModel {
  const UNet& unet;
  const PromptEmbeddings& embeddings;  // of all prompts_of() the rows
  Prediction prediction = Prediction::kEpsilon;
  bool zero_terminal_snr = false;  // as its scheduler_config.json says
};

// The prompts that the rows need embeddings of, each once.
std::vector<std::string> prompts_of(const std::vector<DrawingRow>& rows);

// The row's latents before the VAE, (scales, 4, h, w), float32 on the U-Net's device. All columns go through
// the U-Net together. Noise by the random contract (docs/math.md): purpose 10 for the first latents, 7 for
// the sampler's own, step 0. No gradient is kept. `before_step` may break it off by an exception.
torch::Tensor draw_latents(const DrawingModel& model, const DrawingRow& row,
                           const std::function<void()>& before_step = {});

// The side of the square pictures that a model of the family is made for, in pixels.
int64_t usual_side(Family family, Prediction prediction);

}  // namespace leco
