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
using TimeFeatures = std::vector<torch::Tensor>;            // a (1 or B, channels) addend for each resnet
using TextFeatures = std::vector<std::vector<KeysValues>>;  // the projected text for each transformer

// Walks a call's features in the order of use.
struct Conditioning {
  const TimeFeatures& time;
  const TextFeatures& text;
  const AdapterPass& pass;
  size_t next_resnet = 0;
  size_t next_transformer = 0;
};

class Resnet {
 public:
  Resnet(const WeightScope& scope, int64_t in, int64_t out, const UNetConfig& config);
  torch::Tensor operator()(const torch::Tensor& x, const torch::Tensor& time) const;  // time (1 or B, out)
  // activated: silu of the time embedding, (n, time_features) → (n, out)
  torch::Tensor project_time(const torch::Tensor& activated) const { return time_emb_proj_(activated); }

 private:
  torch::Tensor compute(const torch::Tensor& x, const torch::Tensor& time) const;

  GroupNorm norm1_;
  FrozenConv2d conv1_;
  FrozenLinear time_emb_proj_;
  GroupNorm norm2_;
  FrozenConv2d conv2_;
  std::optional<FrozenConv2d> conv_shortcut_;
  bool recompute_;
};

// Resnets, each followed by a transformer where the level attends.
class Level {
 public:
  std::vector<Resnet> resnets;
  std::vector<Transformer> attentions;  // as many as resnets, or none
  torch::Tensor layer(size_t index, const torch::Tensor& x, Conditioning& given) const;
};

class DownBlock : public Level {
 public:
  DownBlock(const WeightScope& scope, const UNetConfig& config, size_t level);
  // Appends every layer's output to `skips`.
  torch::Tensor operator()(torch::Tensor x, std::vector<torch::Tensor>& skips, Conditioning& given) const;

 private:
  std::optional<FrozenConv2d> downsample_;
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

 private:
  std::optional<FrozenConv2d> upsample_;
};

}  // namespace leco
