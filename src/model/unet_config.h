// The sizes of a U-Net, read from a Diffusers folder's unet/config.json.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leco {

struct UNetConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  std::vector<int64_t> block_out_channels;  // channels of each level, from the picture inwards
  std::vector<bool> down_attends;           // level has transformers, in order of the down blocks
  std::vector<bool> up_attends;             // the same for the up blocks, from the middle outwards
  std::vector<int64_t> heads;               // attention heads of each level
  std::vector<int64_t> transformer_depth;   // blocks in a transformer of each level
  int64_t layers_per_block = 2;
  int64_t cross_attention_dim = 768;
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool use_linear_projection = false;

  size_t levels() const { return block_out_channels.size(); }
  int64_t time_features() const { return 4 * block_out_channels[0]; }
};

// Throws a usage error that names `origin`, the key and the value where the file asks for something that this
// U-Net does not compute; nothing in the file that changes the mathematics is passed over.
UNetConfig parse_unet_config(const std::string& json, const std::string& origin);

}  // namespace leco
