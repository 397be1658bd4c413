// Blocks that keep nothing of their inside for the backward pass and are computed again there: less memory,
// one more forward pass (gradient checkpointing; Chen et al., "Training Deep Nets with Sublinear Memory
// Cost", 2016).
#pragma once

#include <torch/types.h>

#include <functional>
#include <vector>

namespace leco {

using Tensors = std::vector<torch::Tensor>;
using Block = std::function<torch::Tensor(const Tensors& inputs)>;

// block(inputs), with the same bits and the same gradients. The block is called again during backward(),
// after the caller has returned: what it captures must live until then and give the same values. Whatever it
// uses that requires a gradient must be an input or a parameter: a tensor that is only captured gets none,
// without a word. Where no gradient is wanted the block is just called.
torch::Tensor recomputed(const Block& block, const Tensors& inputs, const Tensors& parameters);

}  // namespace leco
