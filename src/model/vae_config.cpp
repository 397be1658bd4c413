#include "model/vae_config.h"

#include <cmath>

#include "model/config_reader.h"

namespace leco {
namespace {

using nlohmann::json;

// Other autoencoders, and variants of this one that no model of the three families uses.
void refuse_other_architectures(const ConfigReader& config) {
  const std::vector<std::pair<const char*, std::vector<json>>> only = {
      {"_class_name", {"AutoencoderKL"}},
      {"act_fn", {"silu", "swish"}},
      {"latent_channels", {VaeConfig::kLatentChannels}},
      {"latents_mean", {nullptr}},
      {"latents_std", {nullptr}},
      {"mid_block_add_attention", {true}},
      {"out_channels", {3}},
      {"shift_factor", {nullptr, 0}},
  };
  for (const auto& [key, values] : only) config.expect(key, values);
}

// A tile's quarter, by which tiles overlap, must be a whole number of latents.
void check_tile(const ConfigReader& config, const VaeConfig& vae) {
  constexpr int64_t kUnit = 4 * VaeConfig::kPixelsPerLatent;
  if (vae.sample_size < kUnit || vae.sample_size % kUnit != 0)
    config.refuse("sample_size", fmt::format("a positive multiple of {} pixels", kUnit));
}

void check_levels(const ConfigReader& config, const VaeConfig& vae) {
  constexpr size_t kLevels = VaeConfig::kLevels;
  if (vae.levels() != kLevels)
    config.refuse("block_out_channels", fmt::format("{} levels, so that a latent is {} pixels wide", kLevels,
                                                    VaeConfig::kPixelsPerLatent));
  for (const int64_t channels : vae.block_out_channels) {
    if (channels % vae.norm_num_groups != 0)
      config.refuse("block_out_channels",
                    fmt::format("multiples of norm_num_groups ({})", vae.norm_num_groups));
  }
  const std::vector<std::string> blocks(kLevels, "UpDecoderBlock2D");
  if (config.get<std::vector<std::string>>("up_block_types", "a list of block types") != blocks)
    config.refuse("up_block_types", fmt::format("{} blocks of type {}", kLevels, blocks[0]));
}

}  // namespace

VaeConfig parse_vae_config(const std::string& text, const std::string& origin) {
  const ConfigReader config(text, origin, "VAE");
  refuse_other_architectures(config);
  VaeConfig vae;
  vae.block_out_channels = config.sizes("block_out_channels");
  vae.layers_per_block = config.size("layers_per_block", ConfigReader::kMaxLayers);
  if (config.has("norm_num_groups")) vae.norm_num_groups = config.size("norm_num_groups");
  vae.scaling_factor = config.get_or("scaling_factor", "a number", vae.scaling_factor);
  if (!(vae.scaling_factor > 0) || !std::isfinite(vae.scaling_factor))
    config.refuse("scaling_factor", "a number above 0");
  vae.use_post_quant_conv = config.get_or("use_post_quant_conv", "true or false", true);
  if (config.has("sample_size")) vae.sample_size = config.size("sample_size");
  check_tile(config, vae);
  check_levels(config, vae);
  return vae;
}

}  // namespace leco
