// The four config.json of a Diffusers folder. What is taken must have sizes that a model can be built of.
#include <algorithm>
#include <cstdint>

#include "diffusion/noise_schedule.h"
#include "model/unet_config.h"
#include "model/vae_config.h"
#include "tests/fuzz/refusal.h"
#include "text/clip_config.h"

using namespace leco;

namespace {

constexpr int64_t kLargest = 1 << 24, kMostLayers = 1000;

void check_levels(const std::vector<int64_t>& channels, int64_t groups, int64_t layers) {
  fuzz::require(!channels.empty() && groups >= 1 && layers >= 1 && layers <= kMostLayers, "sizes of levels");
  for (const int64_t each : channels)
    fuzz::require(each >= 1 && each <= kLargest && each % groups == 0, "channels in whole groups");
}

void check_unet(const UNetConfig& unet) {
  check_levels(unet.block_out_channels, unet.norm_num_groups, unet.layers_per_block);
  const size_t levels = unet.levels();
  fuzz::require(unet.heads.size() == levels && unet.transformer_depth.size() == levels &&
                    unet.down_attends.size() == levels && unet.up_attends.size() == levels,
                "as many entries as levels");
  for (size_t i = 0; i < levels; ++i) {
    fuzz::require(unet.heads[i] >= 1 && unet.block_out_channels[i] % unet.heads[i] == 0, "whole heads");
    fuzz::require(unet.transformer_depth[i] >= 1 && unet.transformer_depth[i] <= kMostLayers, "a depth");
  }
  if (unet.added_embedding) fuzz::require(unet.added_embedding->pooled_features() >= 1, "a pooled text");
}

void check_clip(const ClipTextConfig& clip) {
  fuzz::require(clip.num_hidden_layers >= 1 && clip.num_hidden_layers <= kMostLayers, "a number of layers");
  fuzz::require(clip.hidden_size >= 1 && clip.hidden_size <= kLargest && clip.num_attention_heads >= 1 &&
                    clip.hidden_size % clip.num_attention_heads == 0,
                "whole heads");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string text(reinterpret_cast<const char*>(data), size);
  fuzz::is_read([&] { check_unet(parse_unet_config(text, "unet/config.json")); });
  fuzz::is_read([&] { check_clip(parse_clip_text_config(text, "text_encoder/config.json")); });
  fuzz::is_read([&] { parse_scheduler_config(text, "scheduler_config.json"); });
  fuzz::is_read([&] {
    const VaeConfig vae = parse_vae_config(text, "vae/config.json");
    check_levels(vae.block_out_channels, vae.norm_num_groups, vae.layers_per_block);
  });
  return 0;
}
