// The denoiser of Stable Diffusion 1, 2 and XL: diffusers' UNet2DConditionModel, with frozen weights and
// adapter slots.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "model/time_embedding.h"
#include "model/unet_blocks.h"

namespace leco {

// SDXL: what P prompts add to the time embedding. Sizes in pixels, any number type: original height, width,
// crop top, left, target height, width.
struct AddedConditioning {
  torch::Tensor pooled;  // (P, pooled_features): the pooled text
  torch::Tensor sizes;   // (P, 6)
};

class UNet {
 public:
  // Takes every weight from `weights` (names as in Diffusers). Missing or mis-shaped ones are fatal and
  // named.
  UNet(const UNetConfig& config, StateDict& weights, Placement placement);
  UNet(const UNet&) = delete;
  UNet& operator=(const UNet&) = delete;

  // The three parts of a call. Time and text are apart since a rollout computes them once:
  // the text does not change over its steps, and all its timesteps are known beforehand.
  // timesteps (n), any number type: n rows as given. With `added`, which SDXL needs and no other family
  // knows, n·P rows: for each timestep those of all prompts.
  TimeFeatures embed_time(const torch::Tensor& timesteps, const AddedConditioning* added = nullptr) const;
  TextFeatures project_text(const torch::Tensor& text,
                            const AdapterPass& pass) const;  // (B, 77, cross_attention_dim)
  // x (B, 4, h, w); time of 1 or B rows; text of B rows. Returns the prediction, (B, 4, h, w).
  torch::Tensor operator()(const torch::Tensor& x, const TimeFeatures& time, const TextFeatures& text,
                           const AdapterPass& pass) const;

  // Every layer of the transformers, resnets and samplers, in the order of Diffusers' named_modules(): where
  // LoRAs may attach.
  std::vector<AdaptedLayer*> layers();

  // Before another training on the same model: what the first call will decide is open again (FrozenConv2d).
  void forget_layouts();

  const UNetConfig& config() const { return config_; }
  Placement placement() const { return placement_; }

 private:
  torch::Tensor embed_added(const AddedConditioning& added) const;
  template <class Visit>
  void for_each_level(Visit visit) const;  // down, middle, up: the order of a call

  UNetConfig config_;
  Placement placement_;
  Sinusoids time_waves_;
  EmbeddingLayers time_embedding_;
  std::optional<Sinusoids> size_waves_;
  std::optional<EmbeddingLayers> added_embedding_;
  FrozenConv2d conv_in_;
  std::vector<DownBlock> down_blocks_;
  std::vector<UpBlock> up_blocks_;
  MidBlock mid_block_;
  GroupNorm conv_norm_out_;
  FrozenConv2d conv_out_;
};

// The same with every tensor replaced by what `map` makes of it.
TimeFeatures map_rows(const TimeFeatures& features,
                      const std::function<torch::Tensor(const torch::Tensor& rows)>& map);

// Row `index` of features that were computed for many timesteps.
TimeFeatures time_row(const TimeFeatures& features, int64_t index);

// The rows of all of them, one after another.
TimeFeatures join_rows(const std::vector<TimeFeatures>& features);

// Each row `copies` times in place, (P, …) → (P·copies, …): the samples of one prompt, or of one timestep.
TextFeatures repeat_rows(const TextFeatures& features, int64_t copies);
TimeFeatures repeat_rows(const TimeFeatures& features, int64_t copies);

}  // namespace leco
