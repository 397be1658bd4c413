// From latents to pictures: the decoder of diffusers' AutoencoderKL, as SD 1.x, SD 2.x and SDXL have it.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "model/layers.h"
#include "model/vae_config.h"

namespace leco {

// Reference: diffusers' ResnetBlock2D without a time embedding.
class VaeResnet {
 public:
  VaeResnet(const WeightScope& scope, int64_t in, int64_t out, int64_t norm_groups);
  torch::Tensor operator()(const torch::Tensor& x) const;  // (B, in, H, W) → (B, out, H, W)

 private:
  GroupNorm norm1_;
  FrozenConv2d conv1_;
  GroupNorm norm2_;
  FrozenConv2d conv2_;
  std::optional<FrozenConv2d> conv_shortcut_;
};

// Each pixel attends to all others, with one head. Reference: diffusers' Attention in UNetMidBlock2D.
class VaeAttention {
 public:
  // Takes to_q, to_k, to_v, to_out.0, or query, key, value, proj_attn, which is what older files call them.
  VaeAttention(const WeightScope& scope, int64_t channels, int64_t norm_groups);
  torch::Tensor operator()(const torch::Tensor& x) const;  // (B, C, H, W)

 private:
  GroupNorm group_norm_;
  Linear to_q_, to_k_, to_v_, to_out_;
};

// Computes in float32 whatever the file holds and the U-Net computes in: the activations of SDXL's VAE leave
// the range of float16, and a black picture is a poor way to learn that.
class Vae {
 public:
  // Pictures of more pixels are decoded in tiles, since memory grows with the picture: 8 GB at this size.
  static constexpr int64_t kMostPixelsAtOnce = 1536 * 1536;

  // Takes the decoder's weights from `weights` (names as in Diffusers) and leaves the encoder's.
  // Missing or mis-shaped ones are fatal and named.
  Vae(const VaeConfig& config, StateDict& weights, torch::Device device);
  Vae(const Vae&) = delete;
  Vae& operator=(const Vae&) = delete;

  // latents (B, 4, h, w) as the U-Net knows them → pictures (B, 3, 8h, 8w), float32 on the device. −1 is
  // black and 1 white; some values lie a little outside, as the network gives them. No gradient is kept.
  torch::Tensor decode(const torch::Tensor& latents) const;

  // The two ways of decode(). Tiles are sample_size wide and overlap by a quarter, in which one fades into
  // the next; each is normalised by itself, so the picture is a little different. As diffusers'
  // enable_tiling.
  torch::Tensor decode_at_once(const torch::Tensor& latents) const;
  torch::Tensor decode_in_tiles(const torch::Tensor& latents) const;

  const VaeConfig& config() const { return config_; }

 private:
  struct UpBlock {
    std::vector<VaeResnet> resnets;
    std::optional<FrozenConv2d> upsample;
  };
  torch::Tensor decode_scaled(const torch::Tensor& z) const;  // z: latents / scaling_factor, on the device
  torch::Tensor scaled(const torch::Tensor& latents) const;

  VaeConfig config_;
  torch::Device device_;
  std::optional<FrozenConv2d> post_quant_conv_;
  FrozenConv2d conv_in_;
  VaeResnet mid_first_;
  VaeAttention mid_attention_;
  VaeResnet mid_last_;
  std::vector<UpBlock> up_blocks_;  // from the middle outwards
  GroupNorm conv_norm_out_;
  FrozenConv2d conv_out_;
};

// Whether a tensor of a VAE's file belongs to its encoder, which turns pictures into latents and is not used.
bool belongs_to_vae_encoder(const std::string& name);

}  // namespace leco
