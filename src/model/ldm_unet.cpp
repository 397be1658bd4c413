#include "model/ldm_unet.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <utility>

#include "core/error.h"

namespace leco {
namespace {

using Names = std::pair<std::string_view, std::string_view>;  // Diffusers', LDM's

constexpr std::array<Names, 8> kOutsideOfBlocks = {{{"conv_in.", "input_blocks.0.0."},
                                                    {"time_embedding.linear_1.", "time_embed.0."},
                                                    {"time_embedding.linear_2.", "time_embed.2."},
                                                    {"add_embedding.linear_1.", "label_emb.0.0."},
                                                    {"add_embedding.linear_2.", "label_emb.0.2."},
                                                    {"mid_block.attentions.0.", "middle_block.1."},
                                                    {"conv_norm_out.", "out.0."},
                                                    {"conv_out.", "out.2."}}};
constexpr std::array<Names, 6> kInResnets = {{{"norm1", "in_layers.0"},
                                              {"conv1", "in_layers.2"},
                                              {"time_emb_proj", "emb_layers.1"},
                                              {"norm2", "out_layers.0"},
                                              {"conv2", "out_layers.3"},
                                              {"conv_shortcut", "skip_connection"}}};

// "conv1.weight" → "in_layers.2.weight"
std::string in_resnet(std::string_view name) {
  const std::string_view layer = name.substr(0, name.find('.'));
  const auto found = std::ranges::find(kInResnets, layer, &Names::first);
  LECO_ASSERT(found != kInResnets.end());
  return std::string(found->second).append(name.substr(layer.size()));
}

// down_blocks.1.attentions.0.proj_in.weight, taken apart
struct Place {
  bool down = false;
  int level = 0;
  std::string_view kind;  // "resnets", "attentions", "downsamplers", "upsamplers"
  int index = 0;
  std::string_view rest;  // "proj_in.weight"
};

Place place_of(const std::string& name) {
  std::array<char, 32> way{}, kind{};
  Place place;
  int used = 0;
  const int read = std::sscanf(name.c_str(), "%31[a-z]_blocks.%d.%31[a-z].%d.%n", way.data(), &place.level,
                               kind.data(), &place.index, &used);
  LECO_ASSERT(read == 4 && used > 0);
  place.down = std::string_view(way.data()) == "down";
  for (const std::string_view known : {"resnets", "attentions", "downsamplers", "upsamplers"})
    if (kind.data() == known) place.kind = known;
  LECO_ASSERT(!place.kind.empty());
  place.rest = std::string_view(name).substr(used);
  return place;
}

// Inside of its block: resnet, then transformer, then what changes the size.
std::string in_block(const Place& place, bool attends) {
  if (place.kind == "resnets") return "0." + in_resnet(place.rest);
  if (place.kind == "attentions") return "1." + std::string(place.rest);
  LECO_ASSERT(place.rest.starts_with("conv"));
  if (place.kind == "downsamplers") return "0.op" + std::string(place.rest.substr(4));
  return fmt::format("{}.{}", attends ? 2 : 1, place.rest);
}

}  // namespace

std::string ldm_unet_name(const std::string& name, const UNetConfig& config) {
  for (const auto& [ours, theirs] : kOutsideOfBlocks)
    if (name.starts_with(ours)) return std::string(theirs).append(name.substr(ours.size()));
  constexpr std::string_view kMiddle = "mid_block.resnets.";
  if (name.starts_with(kMiddle)) {
    const char index = name.at(kMiddle.size());  // '0' or '1', before and behind the transformer
    return fmt::format("middle_block.{}.{}", index == '0' ? 0 : 2,
                       in_resnet(std::string_view(name).substr(kMiddle.size() + 2)));
  }
  const Place place = place_of(name);
  const int blocks = static_cast<int>(config.layers_per_block) + 1;  // of a level
  const bool changes_size = place.kind.ends_with("samplers");
  const int block = blocks * place.level + (changes_size ? blocks - 1 : place.index);
  return place.down
             ? fmt::format("input_blocks.{}.{}", 1 + block, in_block(place, false))
             : fmt::format("output_blocks.{}.{}", block, in_block(place, config.up_attends.at(place.level)));
}

}  // namespace leco
