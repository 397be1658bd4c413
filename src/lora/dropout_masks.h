// Dropout of the trained prediction, drawn by the random contract (SPEC section 2, purpose 8), so that it
// depends on neither the number of ranks nor what was drawn before. Three kinds, as in sd-scripts: of single
// outputs of lora_down, of whole ranks of a sample, and of a whole module of an item.
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
    std::vector<int64_t> items;               // the pack's items, in the order of the batch
    int64_t samples = 1;                      // B, of each item
    int64_t point = 0;                        // of the rollout: each has masks of its own
    double neuron = 0, rank = 0, module = 0;  // probabilities
  };
  DropoutMasks(Draw draw, torch::Device device) : draw_(std::move(draw)), device_(device) {}

  bool drops() const { return draw_.neuron > 0 || draw_.rank > 0 || draw_.module > 0; }
  int64_t rows() const { return items() * draw_.samples; }  // R, samples of all items

  // What lora_down's output is multiplied by, on the device: (R, tokens, rank) for a linear layer, which is
  // how the checkpoint's layer gives it, and (R, rank, tokens) for a convolution of so many pixels. Sizes may
  // be 1 where all entries are alike. Positions run row-major over an item's part. Neurons and ranks are 0
  // where u < p, else 1/(1 − p); a module's factor is 0 or 1.
  struct Output {
    int64_t tokens, rank;
    bool convolution;
  };
  torch::Tensor factors(int64_t module, const Output& output) const;

 private:
  int64_t items() const { return static_cast<int64_t>(draw_.items.size()); }
  // (items, count): 0 where u < p, else `kept`.
  torch::Tensor draw(int64_t module, int64_t kind, int64_t count, std::pair<double, float> p_and_kept) const;

  Draw draw_;
  torch::Device device_;
};

}  // namespace leco
