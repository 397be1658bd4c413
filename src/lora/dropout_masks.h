// Dropout of the trained prediction, drawn by the random contract (SPEC section 2, purpose 8), so that it
// depends on neither the number of ranks nor what was drawn before.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

namespace leco {

class DropoutMasks {
 public:
  struct Draw {
    uint64_t seed = 0;
    int64_t step = 0;
    std::vector<int64_t> items;  // the pack's items, in the order of the batch
    int64_t samples = 1;         // B, of each item
    int64_t point = 0;           // of the rollout: each has masks of its own
    double neuron = 0;           // probability
  };
  DropoutMasks(Draw draw, torch::Device device) : draw_(std::move(draw)), device_(device) {}

  // What lora_down's output is multiplied by: 0 where u < p, else 1/(1 − p). `rows` = items × samples ×
  // tokens. Positions run row-major over an item's output as the checkpoint's layer gives it: (B, tokens,
  // rank) for a linear layer, (B, rank, tokens) for a convolution. Returns (rows, rank).
  torch::Tensor neuron(int64_t module, int64_t rows, int64_t rank, bool convolution) const;

  bool drops_neurons() const { return draw_.neuron > 0; }
  int64_t items() const { return static_cast<int64_t>(draw_.items.size()); }

 private:
  Draw draw_;
  torch::Device device_;
};

}  // namespace leco
