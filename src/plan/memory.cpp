#include "plan/memory.h"

#include <algorithm>

#include "plan/traffic.h"

namespace leco {
namespace {

constexpr int64_t kBytes = 4;  // of a float32
constexpr int64_t kProgram = int64_t{500} << 20;

// Gradients on their way back and the heap's gaps, measured as a share of the graph.
constexpr double kBackwardFactor = 1.3;

// A token of a transformer block keeps, in multiples of its channels: norms' inputs and outputs 6,
// self-attention's q, k, v and output 5, cross-attention's q and output 3, feed-forward 8 + 4 + 4,
// residual 1.
constexpr int64_t kNumbersPerToken = 31;
constexpr int64_t kNumbersAroundBlocks = 3;  // proj_in's input, proj_out's input, the sum

// Without a graph the widest place is the first level's feed-forward: 8 + 4 channels, the residual, and what
// the allocator has not joined again.
constexpr int64_t kWorkingSet = 20;

// Of the largest convolution a backward pass makes a plain copy, and oneDNN one of its own layout.
constexpr int64_t kWeightCopies = 3;

// Latent pixels of each level.
std::vector<int64_t> areas(const UNetSizes& unet, const Resolution& resolution) {
  std::vector<int64_t> areas;
  int64_t height = resolution.height / 8, width = resolution.width / 8;
  for (size_t level = 0; level < unet.channels.size(); ++level) {
    areas.push_back(height * width);
    height = (height + 1) / 2;
    width = (width + 1) / 2;
  }
  return areas;
}

// The inputs of two norms and two activations; a LoRA on the convolutions behind them keeps their inputs too.
int64_t resnet_numbers(const UNetSizes& unet, int64_t in, int64_t out) {
  return (unet.adapts_convolutions ? 3 : 2) * (in + out);
}

int64_t transformer_numbers(int64_t channels, int64_t depth) {
  return depth == 0 ? 0 : channels * (kNumbersAroundBlocks + kNumbersPerToken * depth);
}

// A layer of a level is a resnet and, where the level attends, a transformer. Numbers for each pixel.
int64_t down_numbers(const UNetSizes& unet, size_t level) {
  const int64_t out = unet.channels[level], in = level == 0 ? out : unet.channels[level - 1];
  return resnet_numbers(unet, in, out) + (unet.layers_per_block - 1) * resnet_numbers(unet, out, out) +
         unet.layers_per_block * transformer_numbers(out, unet.transformer_depth[level]);
}

int64_t up_numbers(const UNetSizes& unet, size_t level) {
  const int64_t out = unet.channels[level];
  const int64_t below = level + 1 == unet.channels.size() ? out : unet.channels[level + 1];
  const int64_t above = level == 0 ? out : unet.channels[level - 1];
  const int64_t layers =
      unet.layers_per_block + 1;  // each joins a skip, the last one that of the level above
  return resnet_numbers(unet, below + out, out) + (layers - 2) * resnet_numbers(unet, out + out, out) +
         resnet_numbers(unet, out + above, out) +
         layers * transformer_numbers(out, unet.transformer_depth[level]);
}

int64_t middle_numbers(const UNetSizes& unet) {
  const int64_t channels = unet.channels.back();
  return 2 * resnet_numbers(unet, channels, channels) + transformer_numbers(channels, unet.middle_depth);
}

// Of one sample that goes through without a graph: the skips, and the first level's temporaries.
int64_t pass_numbers(const UNetSizes& unet, const Resolution& resolution) {
  const auto area = areas(unet, resolution);
  int64_t numbers = kWorkingSet * unet.channels[0] * area[0];
  for (size_t level = 0; level < area.size(); ++level)
    numbers += (unet.layers_per_block + 1) * unet.channels[level] * area[level];
  return numbers;
}

int64_t activation_bytes(const ModelSizes& model, const PlanSettings& settings, const PromptPair& pair) {
  const int64_t samples = std::min(settings.items_per_pass, settings.draws.items) * pair.batch_size;
  const DistinctPrompts prompts = distinct_prompts(pair, settings.rollout_guidance);
  const int64_t pass = pass_numbers(model.unet, pair.resolution);
  const int64_t without_graph = std::max(prompts.rollout, prompts.frozen) * pass;
  const int64_t graph = model.recomputes_blocks ? recomputed_graph_numbers(model.unet, pair.resolution)
                                                : graph_numbers(model.unet, pair.resolution);
  const auto trained = static_cast<int64_t>(kBackwardFactor * static_cast<double>(graph));
  const int64_t drawn_steps = draws_noise(settings.draws.sampler) ? settings.draws.denoising_steps - 1 : 0;
  const int64_t noise = 4 * areas(model.unet, pair.resolution)[0] * drawn_steps;
  return samples * (model.number_bytes * std::max(without_graph, trained) + kBytes * noise);
}

// Weights and gradient in float32; what each pack of this rank but the last leaves; of a piece of the merge,
// on a GPU, the sum in 64-bit integers, and a pack's part in float64 and as integers.
int64_t lora_bytes(int64_t parameters, int64_t packs) {
  return parameters * (1 + packs) * kBytes + std::min(parameters, kGpuMergePiece) * 3 * 8;
}

}  // namespace

int64_t graph_numbers(const UNetSizes& unet, const Resolution& resolution) {
  const auto area = areas(unet, resolution);
  int64_t numbers = middle_numbers(unet) * area.back();
  for (size_t level = 0; level < area.size(); ++level) {
    numbers += (down_numbers(unet, level) + up_numbers(unet, level)) * area[level];
    if (level > 0) numbers += unet.channels[level] * area[level - 1];  // the upsampled picture
  }
  return numbers;
}

int64_t recomputed_graph_numbers(const UNetSizes& unet, const Resolution& resolution) {
  const auto area = areas(unet, resolution);
  const auto outside = [&](int64_t channels,
                           int64_t depth) {  // of a layer: a resnet's input and its transformer's
    return channels * (1 + (depth == 0 ? 0 : kNumbersAroundBlocks + depth));
  };
  int64_t numbers = (unet.channels.back() + outside(unet.channels.back(), unet.middle_depth)) * area.back();
  int64_t largest = 0;
  for (size_t level = 0; level < area.size(); ++level) {
    const int64_t channels = unet.channels[level], depth = unet.transformer_depth[level];
    const int64_t joined = 2 * channels;  // what a resnet on the way up takes
    numbers += unet.layers_per_block * outside(channels, depth) * area[level];
    numbers += (unet.layers_per_block + 1) * (channels + outside(channels, depth)) * area[level];
    if (level > 0) numbers += channels * area[level - 1];
    largest = std::max({largest, resnet_numbers(unet, joined, channels) * area[level],
                        depth == 0 ? 0 : kNumbersPerToken * channels * area[level]});
  }
  return numbers + largest;
}

MemoryEstimate estimate_memory(const ModelSizes& model, const PlanSettings& settings,
                               const std::vector<PromptPair>& pairs, int ranks) {
  const int64_t packs = (settings.draws.items + settings.items_per_pass - 1) / settings.items_per_pass;
  const int64_t widest = model.unet.channels.back();
  const int64_t copies = kWeightCopies * 2 * widest * widest * 9;
  MemoryEstimate estimate{
      .program = kProgram,
      .weights =
          std::max(model.number_bytes * (model.unet.parameters + copies), kBytes * model.text_parameters),
      .lora = lora_bytes(model.lora_parameters, (packs + ranks - 1) / ranks) + model.optimizer_bytes};
  for (const PromptPair& pair : pairs)
    estimate.activations = std::max(estimate.activations, activation_bytes(model, settings, pair));
  return estimate;
}

}  // namespace leco
