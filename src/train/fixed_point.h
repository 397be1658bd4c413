// The passes over a LoRA's gradients that the exact merge makes. On a CPU each is one loop, since what the
// same steps cost as tensor operations is trips to memory.
#pragma once

#include <torch/types.h>

namespace leco {

// max |g|, which is not finite when an element is not. (n) float32.
double greatest_magnitude(const torch::Tensor& gradient);

enum class Into { kNew, kSum };
// whole = or += round(gradient·scale), to nearest, ties to even. (n) int64 and float32, each |product| <
// 2^63; another device than `whole`'s is allowed.
void add_rounded(torch::Tensor& whole, const torch::Tensor& gradient, double scale, Into into);

// mean = float32(whole·factor), the product in double. (n) float32 and int64.
void scale_into(torch::Tensor& mean, const torch::Tensor& whole, double factor);

}  // namespace leco
