#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "core/error.h"
#include "model/ldm_unet.h"

namespace leco {
namespace {

constexpr int64_t kHeadsOfSd1 = 8, kHeadFeatures = 64, kSizeFeatures = 256, kNormGroups = 32;

// The shapes of a single file's U-Net by LDM's names.
class Shapes {
 public:
  explicit Shapes(const StateDict& file) : file_(file) {}

  bool has(const std::string& name) const { return file_.contains(std::string(kLdmUNetPrefix) + name); }

  const std::vector<int64_t>& of(const std::string& name) const {
    const std::string full = std::string(kLdmUNetPrefix) + name;
    const TensorInfo* info = file_.find(full);
    if (info == nullptr) throw_usage(fmt::format("'{}' has no tensor '{}'", file_.origin(), full));
    return info->shape;
  }

  int64_t size(const std::string& name, size_t dimension) const {
    const std::vector<int64_t>& shape = of(name);
    if (dimension >= shape.size() || shape[dimension] < 1)
      refuse(fmt::format("its tensor '{}' has shape [{}]", name, fmt::join(shape, ", ")));
    return shape[dimension];
  }

  // Blocks of the transformer at `place`; 0 where there is none.
  int64_t depth(const std::string& place) const {
    int64_t count = 0;
    while (has(fmt::format("{}.transformer_blocks.{}.norm1.weight", place, count))) ++count;
    return count;
  }

  [[noreturn]] void refuse(const std::string& why) const {
    throw_usage(fmt::format("'{}': {}; text-to-image models of SD 1.x, SD 2.x and SDXL can be trained",
                            file_.origin(), why));
  }

 private:
  const StateDict& file_;
};

// One level of the way down.
struct LevelShape {
  int64_t channels = 0, resnets = 0, depth = 0;
};

std::vector<LevelShape> read_levels(const Shapes& shapes) {
  std::vector<LevelShape> levels(1);
  for (int block = 1;; ++block) {
    const std::string place = fmt::format("input_blocks.{}", block);
    if (shapes.has(place + ".0.op.weight")) {
      levels.emplace_back();
      continue;
    }
    if (!shapes.has(place + ".0.in_layers.2.weight")) break;
    LevelShape& level = levels.back();
    level.channels = shapes.size(place + ".0.in_layers.2.weight", 0);
    level.depth = std::max(level.depth, shapes.depth(place + ".1"));
    ++level.resnets;
  }
  for (const LevelShape& level : levels)
    if (level.resnets == 0 || level.resnets != levels.front().resnets)
      shapes.refuse("its input_blocks do not form levels with equally many resnets");
  return levels;
}

void refuse_variants(const Shapes& shapes) {
  const int64_t channels = shapes.size("input_blocks.0.0.weight", 1);
  if (channels == 9) shapes.refuse("it is an inpainting model, which needs a picture and a mask");
  if (channels == 8) shapes.refuse("it is a model that edits pictures (8 input channels)");
  if (channels == 5) shapes.refuse("it is a depth-guided model, which needs a depth picture");
  if (channels != 4) shapes.refuse(fmt::format("it takes {} channels instead of 4", channels));
  if (shapes.has("input_blocks.1.0.time_stack.in_layers.2.weight") ||
      shapes.has("input_blocks.1.1.time_stack.0.norm1.weight"))
    shapes.refuse("it is a model of videos");
}

std::optional<AddedEmbeddingConfig> read_added(const Shapes& shapes) {
  if (!shapes.has("label_emb.0.0.weight")) return std::nullopt;
  const AddedEmbeddingConfig added{.size_features = kSizeFeatures,
                                   .input_features = shapes.size("label_emb.0.0.weight", 1)};
  if (added.pooled_features() < 1)
    shapes.refuse(fmt::format("its label_emb takes {} features", added.input_features));
  return added;
}

void set_heads(UNetConfig& config, const Shapes& shapes) {
  for (const int64_t channels : config.block_out_channels) {
    if (channels % kNormGroups != 0)
      shapes.refuse(fmt::format("a level has {} channels, no multiple of {}", channels, kNormGroups));
    if (config.use_linear_projection && channels % kHeadFeatures != 0)
      shapes.refuse(fmt::format("a level has {} channels, no multiple of {}", channels, kHeadFeatures));
    config.heads.push_back(config.use_linear_projection ? channels / kHeadFeatures : kHeadsOfSd1);
  }
}

// Where the first transformer stands, which every file of the three families has.
std::string first_transformer(const Shapes& shapes, const std::vector<LevelShape>& levels) {
  int64_t block = 1;
  for (const LevelShape& level : levels) {
    if (level.depth > 0) return fmt::format("input_blocks.{}.1", block);
    block += level.resnets + 1;
  }
  shapes.refuse("it has no transformers");
}

}  // namespace

UNetConfig read_ldm_unet_config(const StateDict& file) {
  const Shapes shapes(file);
  refuse_variants(shapes);
  const std::vector<LevelShape> levels = read_levels(shapes);
  const std::string transformer = first_transformer(shapes, levels);
  UNetConfig config;
  config.layers_per_block = levels.front().resnets;
  for (const LevelShape& level : levels) {
    config.block_out_channels.push_back(level.channels);
    config.down_attends.push_back(level.depth > 0);
    config.transformer_depth.push_back(std::max<int64_t>(level.depth, 1));
  }
  const int64_t middle = shapes.depth("middle_block.1");
  if (middle == 0 || (levels.back().depth > 0 && levels.back().depth != middle))
    shapes.refuse("its middle block has no transformer as deep as the level before it");
  config.transformer_depth.back() = middle;
  for (size_t level = 0; level < levels.size(); ++level)
    config.up_attends.push_back(
        shapes.depth(fmt::format("output_blocks.{}.1", level * (config.layers_per_block + 1))) > 0);
  config.cross_attention_dim = shapes.size(transformer + ".transformer_blocks.0.attn2.to_k.weight", 1);
  config.use_linear_projection = shapes.of(transformer + ".proj_in.weight").size() == 2;
  config.added_embedding = read_added(shapes);
  config.norm_num_groups = kNormGroups;
  // SD 2.1's attention overflows in float16; no file says which SD 2.x it is, and float32 is right for all.
  config.upcast_attention = config.use_linear_projection && !config.added_embedding;
  set_heads(config, shapes);
  return config;
}

}  // namespace leco
