#include "lora/module_names.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "core/error.h"

namespace leco {
namespace {

// Stability's U-Net counts its blocks through: input block 0 is conv_in, then each level has its resnets
// (each with its transformer, which is part 1) and a downsampler; the way up has one resnet more a level and
// no block for upsamplers.
std::string counted_through(const std::string& layer, int64_t layers_per_block) {
  const int blocks = static_cast<int>(layers_per_block + 1);
  int level = 0, index = 0, used = 0;
  if (std::sscanf(layer.c_str(), "down_blocks.%d.attentions.%d.%n", &level, &index, &used) == 2 && used > 0)
    return fmt::format("input_blocks.{}.1.{}", 1 + blocks * level + index, layer.substr(used));
  if (std::sscanf(layer.c_str(), "up_blocks.%d.attentions.%d.%n", &level, &index, &used) == 2 && used > 0)
    return fmt::format("output_blocks.{}.1.{}", blocks * level + index, layer.substr(used));
  constexpr std::string_view kMiddle = "mid_block.attentions.0.";
  LECO_ASSERT(layer.starts_with(kMiddle));
  return fmt::format("middle_block.1.{}", layer.substr(kMiddle.size()));
}

}  // namespace

std::string lora_file_name(const std::string& layer, Family family, int64_t layers_per_block) {
  std::string name =
      "lora_unet_" + (family == Family::kSdxl ? counted_through(layer, layers_per_block) : layer);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace leco
