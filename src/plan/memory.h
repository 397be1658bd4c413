// How much memory a rank needs to train, from sizes alone. Fitted to measured peaks (VmHWM) on the CPU in
// fp32: the toy model at 64 to 768 pixels and a full-size SD 1.5 at 64 to 512 came out within a tenth. On a
// GPU the same parts lie in its memory, less the program itself.
#pragma once

#include <cstdint>
#include <vector>

#include "plan/step_plan.h"

namespace leco {

struct UNetSizes {
  int64_t parameters = 0;
  std::vector<int64_t> channels = {};           // of each level, from the picture inwards
  std::vector<int64_t> transformer_depth = {};  // of each level; 0 where it has no transformers
  int64_t middle_depth = 1;                     // of the transformer in the middle
  int64_t layers_per_block = 2;
  bool adapts_convolutions = false;  // the LoRA trains resnets and samplers too
};

struct ModelSizes {
  UNetSizes unet;
  int64_t text_parameters = 0;  // of the encoder, which is freed before the U-Net is loaded
  int64_t lora_parameters = 0;
  int64_t optimizer_bytes = 0;     // of its state
  int64_t number_bytes = 4;        // of the U-Net's weights and activations: 4 or 2
  bool recomputes_blocks = false;  // gradient checkpointing
};

// Bytes. All but the program and the frozen weights grow with settings.
struct MemoryEstimate {
  int64_t program = 0;  // code, libraries, the tokenizer's tables
  int64_t weights = 0;  // the U-Net and the copies a backward pass makes, or the text encoder
  int64_t lora = 0;     // weights, gradient, optimizer state, the packs' held gradients, the exact merge
  int64_t activations =
      0;  // of the largest pass: rollout, frozen predictions, or the trained one with its graph
  int64_t total() const { return program + weights + lora + activations; }
};

// The greatest over the pairs, at their full resolution.
MemoryEstimate estimate_memory(const ModelSizes& model, const PlanSettings& settings,
                               const std::vector<PromptPair>& pairs, int ranks);

// What the graph of one sample's trained prediction keeps, in numbers. Counted from the U-Net's structure:
// the input of every norm, activation and LoRA.
int64_t graph_numbers(const UNetSizes& unet, const Resolution& resolution);

// The same where resnets and transformer blocks keep their input alone: these, and the inside of the largest
// of them.
int64_t recomputed_graph_numbers(const UNetSizes& unet, const Resolution& resolution);

}  // namespace leco
