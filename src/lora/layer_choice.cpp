#include "lora/layer_choice.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <numbers>
#include <set>

#include "core/error.h"
#include "lora/module_names.h"
#include "lora/stored_alpha.h"

namespace leco {
namespace {

struct BlockCounts {
  int64_t side, middle, total;  // of the way down or up, in the middle, all
};

BlockCounts counts_of(Family family) {
  if (family == Family::kSdxl) return {.side = 9, .middle = 3, .total = 23};
  return {.side = 12, .middle = 1, .total = 25};
}

template <class Number>
void check_length(const char* name, const std::vector<Number>& list, Family family) {
  const int64_t blocks = counts_of(family).total;
  if (!list.empty() && std::ssize(list) != blocks)
    throw_usage(fmt::format("--network_args {}: {} values were given, and {} has {} blocks", name,
                            list.size(), family_name(family), blocks));
}

// Value i of n of a preset, from the first block of its side to the last.
double preset_weight(const std::string& preset, int64_t i, int64_t n) {
  const auto share = [n](int64_t place) { return static_cast<double>(place) / static_cast<double>(n - 1); };
  if (preset == "sine") return std::sin(std::numbers::pi * share(i) / 2);
  if (preset == "cosine") return std::sin(std::numbers::pi * share(n - 1 - i) / 2);
  if (preset == "linear") return share(i);
  if (preset == "reverse_linear") return share(n - 1 - i);
  LECO_ASSERT(preset == "zeros");
  return 0;
}

// Appends the weights of `count` blocks; those up to the threshold are 0.
void append_weights(std::vector<double>& all, const BlockWeights& weights, int64_t count, double threshold) {
  for (int64_t i = 0; i < count; ++i) {
    double weight = 1;
    if (!weights.preset.empty())
      weight = preset_weight(weights.preset, i, count) + weights.base;
    else if (i < std::ssize(weights.list))
      weight = weights.list[i];
    all.push_back(!weights.given() || weight > threshold ? weight : 0.0);
  }
}

void check_weights(const char* name, const BlockWeights& weights, int64_t blocks, Family family) {
  if (std::ssize(weights.list) > blocks)
    throw_usage(fmt::format("--network_args {}: {} values were given, and {} has {} such blocks", name,
                            weights.list.size(), family_name(family), blocks));
}

// A factor of the learning rate for each block; empty where all are 1.
std::vector<double> block_weights(const NetworkArgs& args, Family family) {
  const auto [side, middle, total] = counts_of(family);
  check_weights("down_lr_weight", args.down_lr_weight, side, family);
  check_weights("mid_lr_weight", args.mid_lr_weight, middle, family);
  check_weights("up_lr_weight", args.up_lr_weight, side, family);
  if (!args.weighs_blocks()) return {};
  std::vector<double> weights;
  if (family == Family::kSdxl) weights.push_back(1);
  append_weights(weights, args.down_lr_weight, side, args.block_lr_zero_threshold);
  append_weights(weights, args.mid_lr_weight, middle, args.block_lr_zero_threshold);
  append_weights(weights, args.up_lr_weight, side, args.block_lr_zero_threshold);
  if (family == Family::kSdxl) weights.push_back(1);
  LECO_ASSERT(std::ssize(weights) == total);
  return weights;
}

bool contains(std::string_view name, std::string_view part) {
  return name.find(part) != std::string_view::npos;
}

bool is_trained(TrainMethod method, std::string_view layer) {
  switch (method) {
    case TrainMethod::kFull:
      return true;
    case TrainMethod::kXattn:
      return contains(layer, ".attn2.");
    case TrainMethod::kXattnStrict:
      return contains(layer, ".attn2.") && !contains(layer, ".to_out");
    case TrainMethod::kSelfattn:
      return contains(layer, ".attn1.");
    case TrainMethod::kNoxattn:
      return !contains(layer, ".attn2.");
  }
  return false;
}

// The block's entry of a list, or what holds for all blocks where there is none.
template <class Number>
Number entry(const std::vector<Number>& list, int64_t block, Number of_all) {
  if (list.empty()) return of_all;
  if (block >= std::ssize(list))
    throw_usage(
        "--network_args: ranks, alphas and weights by block do not fit this U-Net, which has more blocks");
  return list[block];
}

int64_t rank_of(const AdaptedLayer& layer, int64_t block, const LoraShape& shape) {
  const NetworkArgs& args = shape.args;
  const bool in_transformer = contains(layer.name(), ".attentions.");
  if (!is_trained(args.train_method, layer.name())) return 0;
  if (!in_transformer && !args.adapts_convolutions()) return 0;
  if (layer.shape().kernel > 1) return entry(args.conv_block_dims, block, args.conv_dim.value_or(0));
  return entry(args.block_dims, block, shape.rank);
}

double alpha_of(const AdaptedLayer& layer, int64_t block, const LoraShape& shape) {
  if (layer.shape().kernel > 1)
    return entry(shape.args.conv_block_alphas, block, shape.args.conv_alpha.value_or(1.0));
  return entry(shape.args.block_alphas, block, shape.alpha);
}

// The ends of the layers' names, which say what they are: "attn1.to_q", "conv2", …
[[noreturn]] void throw_nothing_chosen(const std::vector<AdaptedLayer*>& layers) {
  std::set<std::string> kinds;
  for (const AdaptedLayer* layer : layers) {
    std::string name = layer->name();
    for (const std::string_view parent : {".transformer_blocks.", ".attentions.", ".resnets."}) {
      const size_t at = name.find(parent);
      if (at == std::string::npos) continue;
      name = name.substr(name.find('.', at + parent.size()) + 1);
      break;
    }
    kinds.insert(name);
  }
  throw_usage(
      fmt::format("--network_args leave no module to train: every rank or block weight is 0; candidates are, "
                  "in each block "
                  "that has them, {} (with conv_dim those of resnets and samplers)",
                  fmt::join(kinds, ", ")));
}

}  // namespace

int64_t block_index(const std::string& layer, const UNetConfig& unet) {
  int first = 0, second = 0;
  if (family_of(unet) == Family::kSdxl) {
    const std::string name = lora_file_name(layer, unet);
    if (std::sscanf(name.c_str(), "lora_unet_input_blocks_%d_", &first) == 1) return 1 + first;
    if (std::sscanf(name.c_str(), "lora_unet_middle_block_%d_", &first) == 1) return 10 + first;
    LECO_ASSERT(std::sscanf(name.c_str(), "lora_unet_output_blocks_%d_", &first) == 1);
    return 13 + first;
  }
  if (layer.starts_with("mid_block.")) return 12;
  std::array<char, 32> kind{};
  const bool down = layer.starts_with("down_blocks.");
  const size_t begin = layer.find('.');
  LECO_ASSERT(std::sscanf(layer.c_str() + begin, ".%d.%31[a-z].%d.", &first, kind.data(), &second) == 3);
  const bool changes_size = std::string_view(kind.data()).ends_with("samplers");
  return (down ? 1 : 13) + 3 * first + (changes_size ? 2 : second);
}

std::vector<ChosenLayer> choose_layers(UNet& unet, const LoraShape& shape) {
  const Family family = family_of(unet.config());
  const NetworkArgs& args = shape.args;
  check_length("block_dims", args.block_dims, family);
  check_length("block_alphas", args.block_alphas, family);
  check_length("conv_block_dims", args.conv_block_dims, family);
  check_length("conv_block_alphas", args.conv_block_alphas, family);
  const std::vector<double> weights = block_weights(args, family);

  std::vector<ChosenLayer> chosen;
  const std::vector<AdaptedLayer*> layers = unet.layers();
  for (AdaptedLayer* layer : layers) {
    const int64_t block = block_index(layer->name(), unet.config());
    const double weight = entry(weights, block, 1.0);
    const int64_t rank = weight == 0 ? 0 : rank_of(*layer, block, shape);
    if (rank == 0) continue;
    const double alpha = alpha_of(*layer, block, shape);
    chosen.push_back({.layer = layer,
                      .rank = rank,
                      .alpha = alpha == 0 ? static_cast<double>(rank) : alpha,
                      .down_rate = weight,
                      .up_rate = weight * args.up_rate()});
  }
  if (chosen.empty()) throw_nothing_chosen(layers);
  return chosen;
}

std::vector<ChosenLayer> layers_of_file(UNet& unet, StateDict file, const NetworkArgs& args) {
  const std::vector<double> weights = block_weights(args, family_of(unet.config()));
  std::vector<ChosenLayer> chosen;
  for (AdaptedLayer* layer : unet.layers()) {
    const auto module = stored_name(file, layer->name(), lora_file_name(layer->name(), unet.config()));
    const TensorInfo* down = module ? file.find(*module + ".lora_down.weight") : nullptr;
    if (!down || down->shape.empty() || down->shape[0] < 1) continue;
    const int64_t rank = down->shape[0];
    const double weight = entry(weights, block_index(layer->name(), unet.config()), 1.0);
    chosen.push_back({.layer = layer,
                      .rank = rank,
                      .alpha = take_alpha(file, *module, rank),
                      .down_rate = weight,
                      .up_rate = weight * args.up_rate()});
  }
  if (!chosen.empty()) return chosen;
  const auto names = file.left();
  throw_usage(
      fmt::format("--dim_from_weights: '{}' holds no module of this U-Net; it would be named as "
                  "'{}.lora_down.weight', the "
                  "file's first tensor is '{}'",
                  file.origin(), lora_file_name(unet.layers().front()->name(), unet.config()),
                  names.empty() ? "" : names[0]));
}

std::vector<std::string> block_weight_notices(const NetworkArgs& args, Family family) {
  std::vector<std::string> notices;
  const auto note = [&](const char* name, const BlockWeights& weights, int64_t blocks) {
    const int64_t given = std::ssize(weights.list);
    if (given > 0 && given < blocks)
      notices.push_back(
          fmt::format("--network_args {}: {} of {} values were given, the rest are 1", name, given, blocks));
  };
  const BlockCounts counts = counts_of(family);
  note("down_lr_weight", args.down_lr_weight, counts.side);
  note("mid_lr_weight", args.mid_lr_weight, counts.middle);
  note("up_lr_weight", args.up_lr_weight, counts.side);
  return notices;
}

}  // namespace leco
