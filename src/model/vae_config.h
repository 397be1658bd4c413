// The sizes of a VAE, read from a Diffusers folder's vae/config.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leco {

struct VaeConfig {
  static constexpr int64_t kLatentChannels = 4;
  static constexpr int64_t kLevels = 4, kPixelsPerLatent = 8;  // along each side, by doubling between levels
  // Of SDXL; the defaults below are those of SD 1.x and 2.x.
  static constexpr double kSdxlScalingFactor = 0.13025;
  static constexpr int64_t kSdxlSampleSize = 1024;

  std::vector<int64_t> block_out_channels;  // channels of each level, from the picture inwards
  int64_t layers_per_block = 2;             // resnets of a level in the encoder; the decoder has one more
  int64_t norm_num_groups = 32;
  int64_t sample_size = 512;        // side of the pictures it was trained on, and of a tile
  double scaling_factor = 0.18215;  // the U-Net's latents are the VAE's times this
  bool use_post_quant_conv = true;

  size_t levels() const { return block_out_channels.size(); }
};

// What a file does not say has the value that Diffusers assumes, since files of the first models say little.
// Throws a usage error that names `origin`, the key and the value where the file asks for something that this
// VAE does not compute; nothing in the file that changes the mathematics is passed over. `force_upcast` asks
// for float32, which is what this VAE computes in anyway.
VaeConfig parse_vae_config(const std::string& json, const std::string& origin);

}  // namespace leco
