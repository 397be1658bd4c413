// Whether weights are numbers, found in one pass at the speed of memory.
#pragma once

#include <torch/types.h>

namespace leco {

// F16, BF16, F32 and F64: what weights may be stored in.
bool is_weight_type(torch::ScalarType type);

// False where an element is infinite or not a number. `weights` is contiguous, on the CPU, of a weight type.
bool is_all_finite(const torch::Tensor& weights);

}  // namespace leco
