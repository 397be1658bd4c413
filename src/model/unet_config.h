// The sizes of a U-Net, read from a Diffusers folder's unet/config.json.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "model/family.h"

namespace leco {

// SDXL: what joins the time embedding (diffusers' addition_embed_type "text_time").
struct AddedEmbeddingConfig {
  static constexpr int64_t kSizes = 6;
  int64_t size_features = 256;    // of the sinusoids of one size
  int64_t input_features = 2816;  // the pooled text's and those of six sizes
  int64_t pooled_features() const { return input_features - kSizes * size_features; }
};

struct UNetConfig {
  int64_t in_channels = 4;
  int64_t out_channels = 4;
  std::vector<int64_t> block_out_channels;  // channels of each level, from the picture inwards
  std::vector<bool> down_attends;           // level has transformers, in order of the down blocks
  std::vector<bool> up_attends;             // the same for the up blocks, from the middle outwards
  std::vector<int64_t> heads;               // attention heads of each level
  std::vector<int64_t> transformer_depth;   // blocks in a transformer of each level; middle: the last
  int64_t layers_per_block = 2;
  int64_t cross_attention_dim = 768;
  int64_t norm_num_groups = 32;
  double norm_eps = 1e-5;
  bool use_linear_projection = false;
  bool upcast_attention = false;  // scores in float32 whatever the layers compute in
  std::optional<AddedEmbeddingConfig> added_embedding;

  size_t levels() const { return block_out_channels.size(); }
  int64_t time_features() const { return 4 * block_out_channels[0]; }
};

// Throws a usage error that names `origin`, the key and the value where the file asks for something that this
// U-Net does not compute; nothing in the file that changes the mathematics is passed over.
UNetConfig parse_unet_config(const std::string& json, const std::string& origin);

// By structure, since small models of a family have other widths: SDXL adds an embedding, SD 2.x has linear
// projections and no added embedding, SD 1.x has neither.
Family family_of(const UNetConfig& config);

}  // namespace leco
