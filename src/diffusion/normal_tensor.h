// Noise by the random contract (core/philox.h).
#pragma once

#include <torch/types.h>

#include "core/philox.h"

namespace leco {

// Standard normal numbers, (shape) float32 on the CPU, in row-major order of their positions.
torch::Tensor normal_tensor(at::IntArrayRef shape, uint64_t seed, const Draws::Use& use);

}  // namespace leco
