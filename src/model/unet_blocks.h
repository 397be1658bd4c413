// The blocks of the U-Net: resnets, and the levels on the way down, in the middle and on the way up.
// Reference: diffusers' ResnetBlock2D, CrossAttnDownBlock2D, UNetMidBlock2DCrossAttn, CrossAttnUpBlock2D.
#pragma once

#include <optional>
#include <vector>

#include "model/attention.h"
#include "model/unet_config.h"

namespace leco {

// What one U-Net call is given beside the latents, each entry in the order in which the blocks use it.
// Both are computed ahead of the call, since within a rollout they do not change (text) or do not depend on x
// (time).
struct TimeFeatures {
  torch::Tensor embedded;                // (1 or B, time_features): what time_emb_proj and its adapters read
  std::vector<torch::Tensor> projected;  // (1 or B, channels) for each resnet, without adapters
};
using TextFeatures = std::vector<std::vector<KeysValues>>;  // the projected text for each transformer

// One resnet's part of the time features.
struct ResnetTime {
  torch::Tensor embedded;   // (1 or B, time_features)
  torch::Tensor projected;  // (1 or B, channels)
};

// Walks a call's features in the order of use.
struct Conditioning {
  const TimeFeatures& time;
  const TextFeatures& text;
  const AdapterPass& pass;
  size_t next_resnet = 0;
  size_t next_transformer = 0;
  ResnetTime next_time() { return {time.embedded, time.projected[next_resnet++]}; }
};

class Resnet {
 public:
  Resnet(const WeightScope& scope, int64_t in, int64_t out, const UNetConfig& config);
  torch::Tensor operator()(const torch::Tensor& x, const ResnetTime& time, const AdapterPass& pass) const;
  // embedded: silu of the time embedding, (n, time_features) → (n, out); without adapters
  torch::Tensor project_time(const torch::Tensor& embedded) const {
    return time_emb_proj_(embedded, adapters_off());
  }
  void list(std::vector<AdaptedLayer*>& layers);

 private:
  torch::Tensor compute(const torch::Tensor& x, const ResnetTime& time, const AdapterPass& pass) const;
  Tensors parameters() const;
  // What time adds to each channel, with adapters: (1 or B, out).
  torch::Tensor addend(const ResnetTime& time, int64_t samples, const AdapterPass& pass) const;

  GroupNorm norm1_;
  Conv2d conv1_;
  Linear time_emb_proj_;
  GroupNorm norm2_;
  Conv2d conv2_;
  std::optional<Conv2d> conv_shortcut_;
  bool recompute_;
};

// Resnets, each followed by a transformer where the level attends.
class Level {
 public:
  std::vector<Resnet> resnets;
  std::vector<Transformer> attentions;  // as many as resnets, or none
  torch::Tensor layer(size_t index, const torch::Tensor& x, Conditioning& given) const;
  void list(std::vector<AdaptedLayer*>& layers);  // appends its layers in Diffusers' order
};

class DownBlock : public Level {
 public:
  DownBlock(const WeightScope& scope, const UNetConfig& config, size_t level);
  // Appends every layer's output to `skips`.
  torch::Tensor operator()(torch::Tensor x, std::vector<torch::Tensor>& skips, Conditioning& given) const;
  void list(std::vector<AdaptedLayer*>& layers);

 private:
  std::optional<Conv2d> downsample_;
};

class MidBlock : public Level {
 public:
  MidBlock(const WeightScope& scope, const UNetConfig& config);
  torch::Tensor operator()(torch::Tensor x, Conditioning& given) const;
};

class UpBlock : public Level {
 public:
  UpBlock(const WeightScope& scope, const UNetConfig& config, size_t index);  // 0 lies next to the middle
  // Takes one skip a layer from the end of `skips`; grows to the size of the skip that the next block joins.
  torch::Tensor operator()(torch::Tensor x, std::vector<torch::Tensor>& skips, Conditioning& given) const;
  void list(std::vector<AdaptedLayer*>& layers);

 private:
  std::optional<Conv2d> upsample_;
};

}  // namespace leco
