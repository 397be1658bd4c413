// The passes over a LoRA's gradients that the exact merge makes. On a CPU each is one loop, since what the
// same steps cost as tensor operations is trips to memory.
#pragma once

#include <torch/types.h>

#include <utility>

namespace leco {

// A copy of the float32 vector, and max |g|, which is not finite when an element is not.
std::pair<torch::Tensor, double> copy_with_greatest(const torch::Tensor& gradient);

enum class Into { kNew, kSum };
// whole = or += round(gradient·scale), to nearest, ties to even. (n) int64 and float32, each |product| <
// 2^63.
void add_rounded(torch::Tensor& whole, const torch::Tensor& gradient, double scale, Into into);

// float32(whole / divisor), the quotient in double.
torch::Tensor quotient(const torch::Tensor& whole, double divisor);

}  // namespace leco
