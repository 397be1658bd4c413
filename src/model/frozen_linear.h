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
  torch::Tensor operator()(const torch::Tensor& x) const {
    return bias_ ? at::addmm(*bias_, x, weight_) : at::mm(x, weight_);
  }

 private:
  torch::Tensor weight_;
  std::optional<torch::Tensor> bias_;
};

}  // namespace leco
