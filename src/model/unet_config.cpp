#include "model/unet_config.h"

#include <fmt/format.h>

#include "model/config_reader.h"

namespace leco {
namespace {

using nlohmann::json;

// Variants of the architecture that no model of the three families uses: each would change what is computed.
void refuse_other_architectures(const ConfigReader& config) {
  const std::vector<std::pair<const char*, std::vector<json>>> only = {
      {"act_fn", {"silu"}},
      {"addition_embed_type", {nullptr, "text_time"}},
      {"attention_type", {"default"}},
      {"center_input_sample", {false}},
      {"class_embed_type", {nullptr}},
      {"conv_in_kernel", {3}},
      {"conv_out_kernel", {3}},
      {"cross_attention_norm", {nullptr}},
      {"downsample_padding", {1}},
      {"dual_cross_attention", {false}},
      {"encoder_hid_dim", {nullptr}},
      {"encoder_hid_dim_type", {nullptr}},
      {"flip_sin_to_cos", {true}},
      {"freq_shift", {0}},
      {"mid_block_only_cross_attention", {nullptr, false}},
      {"mid_block_scale_factor", {1}},
      {"mid_block_type", {"UNetMidBlock2DCrossAttn"}},
      {"num_class_embeds", {nullptr}},
      {"only_cross_attention", {false}},
      {"resnet_out_scale_factor", {1.0}},
      {"resnet_skip_time_act", {false}},
      {"resnet_time_scale_shift", {"default"}},
      {"reverse_transformer_layers_per_block", {nullptr}},
      {"time_cond_proj_dim", {nullptr}},
      {"time_embedding_act_fn", {nullptr}},
      {"time_embedding_dim", {nullptr}},
      {"time_embedding_type", {"positional"}},
      {"timestep_post_act", {nullptr}},
  };
  for (const auto& [key, values] : only) config.expect(key, values);
}

std::vector<bool> attending(const ConfigReader& config, const char* key, const std::string& with,
                            const std::string& without) {
  std::vector<bool> attends;
  for (const auto& type : config.get<std::vector<std::string>>(key, "a list of block types")) {
    if (type != with && type != without)
      config.refuse(key, fmt::format("blocks of type {} or {}", with, without));
    attends.push_back(type == with);
  }
  return attends;
}

std::optional<AddedEmbeddingConfig> added_embedding(const ConfigReader& config) {
  if (!config.has("addition_embed_type")) return std::nullopt;
  const AddedEmbeddingConfig added{.size_features = config.size("addition_time_embed_dim"),
                                   .input_features = config.size("projection_class_embeddings_input_dim")};
  if (added.size_features % 2 != 0) config.refuse("addition_time_embed_dim", "a positive even number");
  if (added.pooled_features() < 1)
    config.refuse("projection_class_embeddings_input_dim",
                  fmt::format("more than six times addition_time_embed_dim ({})", added.size_features));
  return added;
}

void check_consistency(const ConfigReader& config, const UNetConfig& unet) {
  if (unet.down_attends.size() != unet.levels())
    config.refuse("down_block_types", fmt::format("{} entries", unet.levels()));
  if (unet.up_attends.size() != unet.levels())
    config.refuse("up_block_types", fmt::format("{} entries", unet.levels()));
  if (!(unet.norm_eps > 0)) config.refuse("norm_eps", "a number above 0");
  for (size_t level = 0; level < unet.levels(); ++level) {
    const int64_t channels = unet.block_out_channels[level];
    if (channels % unet.norm_num_groups != 0)
      config.refuse("block_out_channels",
                    fmt::format("multiples of norm_num_groups ({})", unet.norm_num_groups));
    if (channels % unet.heads[level] != 0)
      config.refuse("attention_head_dim", "a number of heads that divides the channels of its level");
    if (unet.transformer_depth[level] > ConfigReader::kMaxLayers)
      config.refuse("transformer_layers_per_block", fmt::format("at most {}", ConfigReader::kMaxLayers));
  }
}

}  // namespace

UNetConfig parse_unet_config(const std::string& text, const std::string& origin) {
  const ConfigReader config(text, origin, "U-Net");
  refuse_other_architectures(config);
  UNetConfig unet;
  unet.in_channels = config.get<int64_t>("in_channels", "a number");
  unet.out_channels = config.get<int64_t>("out_channels", "a number");
  if (unet.in_channels != 4 || unet.out_channels != 4)
    config.refuse(
        "in_channels",
        "4 (and out_channels 4): inpainting and other variants cannot be trained from prompts alone");
  unet.block_out_channels = config.sizes("block_out_channels");
  unet.down_attends = attending(config, "down_block_types", "CrossAttnDownBlock2D", "DownBlock2D");
  unet.up_attends = attending(config, "up_block_types", "CrossAttnUpBlock2D", "UpBlock2D");
  unet.layers_per_block = config.size("layers_per_block", ConfigReader::kMaxLayers);
  unet.cross_attention_dim = config.size("cross_attention_dim");
  unet.norm_num_groups = config.size("norm_num_groups");
  unet.norm_eps = config.get<double>("norm_eps", "a number");
  // Diffusers' attention_head_dim holds the number of heads in these models, unless num_attention_heads is
  // given.
  unet.heads = config.per_level(
      config.has("num_attention_heads") ? "num_attention_heads" : "attention_head_dim", unet.levels());
  unet.transformer_depth = config.has("transformer_layers_per_block")
                               ? config.per_level("transformer_layers_per_block", unet.levels())
                               : std::vector<int64_t>(unet.levels(), 1);
  unet.use_linear_projection = config.flag("use_linear_projection");
  unet.upcast_attention = config.flag("upcast_attention");
  unet.added_embedding = added_embedding(config);
  check_consistency(config, unet);
  return unet;
}

Family family_of(const UNetConfig& config) {
  if (config.added_embedding) return Family::kSdxl;
  return config.use_linear_projection ? Family::kSd2 : Family::kSd1;
}

}  // namespace leco
