#include "model/ldm_vae.h"

#include <fmt/format.h>

#include <array>
#include <utility>

#include "core/error.h"

namespace leco {
namespace {

using Names = std::pair<std::string_view, std::string_view>;  // Diffusers', LDM's

constexpr std::array<Names, 9> kOutsideOfLevels = {
    {{"mid_block.resnets.0.", "mid.block_1."},
     {"mid_block.resnets.1.", "mid.block_2."},
     {"mid_block.attentions.0.group_norm.", "mid.attn_1.norm."},
     {"mid_block.attentions.0.to_q.", "mid.attn_1.q."},
     {"mid_block.attentions.0.to_k.", "mid.attn_1.k."},
     {"mid_block.attentions.0.to_v.", "mid.attn_1.v."},
     {"mid_block.attentions.0.to_out.0.", "mid.attn_1.proj_out."},
     {"conv_norm_out.", "norm_out."},
     {"up_blocks.", "up."}}};
constexpr std::array<Names, 3> kInLevels = {
    {{"upsamplers.0.", "upsample."}, {"resnets.", "block."}, {"conv_shortcut.", "nin_shortcut."}}};
constexpr std::string_view kDecoder = "decoder.", kUp = "up.";

}  // namespace

std::string ldm_vae_name(const std::string& name) {
  if (!name.starts_with(kDecoder)) return name;  // post_quant_conv
  std::string rest = name.substr(kDecoder.size());
  for (const auto& [ours, theirs] : kOutsideOfLevels) {
    if (!rest.starts_with(ours)) continue;
    rest.replace(0, ours.size(), theirs);
    break;
  }
  if (rest.starts_with(kUp)) {
    char& level = rest.at(kUp.size());
    level = static_cast<char>('0' + VaeConfig::kLevels - 1 - (level - '0'));
    for (const auto& [ours, theirs] : kInLevels)
      if (const size_t at = rest.find(ours); at != std::string::npos) rest.replace(at, ours.size(), theirs);
  }
  return std::string(kDecoder) + rest;
}

VaeConfig read_vae_shapes(const StateDict& weights) {
  const auto resnet = [](int64_t block, int64_t index) {
    return fmt::format("decoder.up_blocks.{}.resnets.{}.conv1.weight", block, index);
  };
  VaeConfig config;
  for (int64_t block = VaeConfig::kLevels - 1; block >= 0; --block) {
    const TensorInfo* first = weights.find(resnet(block, 0));
    if (first == nullptr || first->shape.size() != 4) {
      throw_usage(fmt::format("'{}' holds no decoder of a Stable Diffusion VAE with {} levels (tensor '{}')",
                              weights.origin(), VaeConfig::kLevels, resnet(block, 0)));
    }
    config.block_out_channels.push_back(first->shape[0]);
  }
  config.layers_per_block = 0;
  while (weights.contains(resnet(0, config.layers_per_block + 1))) ++config.layers_per_block;
  for (const int64_t channels : config.block_out_channels) {
    if (channels < 1 || channels % config.norm_num_groups != 0)
      throw_usage(fmt::format("'{}': a level of the VAE has {} channels, no multiple of {}", weights.origin(),
                              channels, config.norm_num_groups));
  }
  config.use_post_quant_conv = weights.contains("post_quant_conv.weight");
  return config;
}

}  // namespace leco
