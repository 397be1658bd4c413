// --network_args: what of the U-Net is trained, with which ranks and at which rates. Names and meaning are
// those of sd-scripts' networks/lora.py; train_method is that of LECO and of Concept Sliders.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace leco {

enum class TrainMethod { kFull, kXattn, kXattnStrict, kSelfattn, kNoxattn };

// How much of the learning rate each block of one part of the U-Net gets: a list, or a preset's curve.
struct BlockWeights {
  std::vector<double> list = {};  // of the first blocks; those behind it get 1
  std::string preset = {};        // "cosine", "sine", "linear", "reverse_linear" or "zeros"
  double base = 0;                // added to the preset
  bool given() const { return !list.empty() || !preset.empty(); }
};

// Blocks are numbered as there: SD 1.x and 2.x have 25 (12 down, 1 middle, 12 up), SDXL has 23 (1 for its
// embeddings, 9 down, 3 middle, 9 up, 1 for its output), whichever of them hold layers.
struct NetworkArgs {
  TrainMethod train_method = TrainMethod::kFull;
  std::optional<int64_t> conv_dim =
      {};  // rank of 3×3 convolutions; absent: resnets and samplers are not trained
  std::optional<double> conv_alpha = {};       // 1 where it is absent; 0 means the rank
  std::vector<int64_t> block_dims = {};        // ranks by block, 0 = none; empty: network_dim
  std::vector<double> block_alphas = {};       // empty: network_alpha
  std::vector<int64_t> conv_block_dims = {};   // of 3×3 convolutions; empty: conv_dim
  std::vector<double> conv_block_alphas = {};  // empty: conv_alpha
  double rank_dropout = 0;                     // share of ranks
  double module_dropout = 0;                   // share of modules
  BlockWeights down_lr_weight = {}, mid_lr_weight = {}, up_lr_weight = {};
  double block_lr_zero_threshold = 0;                 // blocks of at most this weight are not trained
  std::optional<double> loraplus_lr_ratio = {};       // the rate of lora_up over that of lora_down (LoRA+)
  std::optional<double> loraplus_unet_lr_ratio = {};  // the same, and wins

  bool adapts_convolutions() const { return conv_dim || !conv_block_dims.empty(); }
  bool weighs_blocks() const {
    return down_lr_weight.given() || mid_lr_weight.given() || up_lr_weight.given();
  }
  double up_rate() const { return loraplus_unet_lr_ratio.value_or(loraplus_lr_ratio.value_or(1.0)); }
};

}  // namespace leco
