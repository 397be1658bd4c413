// A matrix product with frozen weights.
#pragma once

#include <torch/types.h>

#include <optional>

namespace leco {

class FrozenLinear {
 public:
  // weight (out, in), bias (out). On the CPU the weight is kept as (in, out): a product with few rows then
  // runs twice as fast, since MKL need not repack the weight, and LECO's small pictures have few rows.
  FrozenLinear(const torch::Tensor& weight, std::optional<torch::Tensor> bias)
      : weight_(weight.is_cpu() ? weight.t().contiguous() : weight.t()), bias_(std::move(bias)) {}

  // (rows, in) → (rows, out); the gradient reaches x only.
  torch::Tensor operator()(const torch::Tensor& x) const;

  // The two halves of operator() where a gradient is wanted and the product goes through float32.
  torch::Tensor forward(const torch::Tensor& x) const;
  torch::Tensor input_gradient(const torch::Tensor& output_gradient) const;

 private:
  torch::Tensor weight_;
  std::optional<torch::Tensor> bias_;
};

}  // namespace leco
