// The two products of a LoRA on a layer, in the layer's type or beside it in float32.
//
// Beside a layer of 16 bits the LoRA computes with its float32 weights: a small update of a weight changes
// the delta as it should, instead of vanishing when the weight is rounded to 8 or 11 bits, and so do the
// gradients of the weights. What is rounded is the sum of output and delta, as all activations are. The
// backward pass keeps the 16-bit input, which the layers that read it share.
#pragma once

#include <torch/types.h>

#include "model/adapter.h"

namespace leco {

// input·downᵀ: input (rows, in) of any type, down (rank, in) float32. Returns (rows, rank): float32, or with
// `in_input_type` the input's type, in which then weights and gradients are rounded too.
torch::Tensor lower(const torch::Tensor& input, const torch::Tensor& down, bool in_input_type);

// output += scale·low·upᵀ: output (rows, out) of the layer's type, low (rows, rank) of any type, up (out,
// rank) float32. In float32 and one rounding; with `in_output_type` in the output's type.
void raise(torch::Tensor& output, const torch::Tensor& low, const torch::Tensor& up, double scale,
           bool in_output_type);

// The same two on pictures: input (B, in, H, W), down (rank, in, k, k), or (rank, in) where k = 1, as a
// convolution of the layer's kernel, stride and padding; low (B, rank, H', W'), up as one of 1×1.
torch::Tensor lower_pictures(const torch::Tensor& input, const torch::Tensor& down, const LayerShape& shape,
                             bool in_input_type);
void raise_pictures(torch::Tensor& output, const torch::Tensor& low, const torch::Tensor& up, double scale,
                    bool in_output_type);

}  // namespace leco
