// The layers of a U-Net beside its convolutions: linear layers with an adapter slot, and norms.
#pragma once

#include <string>
#include <vector>

#include "model/adapter.h"
#include "model/frozen_conv.h"
#include "model/frozen_linear.h"
#include "model/weight_scope.h"

namespace leco {

// A linear layer, or a 1×1 convolution, which is the same product (pictures come as (B, H·W, C) here).
class Linear {
 public:
  enum class Stored {
    kLinear,
    kConv1x1
  };  // how the checkpoint and LoRA files shape it: (out, in) or (out, in, 1, 1)
  struct Shape {
    int64_t in, out;
    bool bias = true;
    Stored stored = Stored::kLinear;
  };
  Linear(const WeightScope& scope, Shape shape);

  torch::Tensor operator()(const torch::Tensor& x, const AdapterPass& pass) const;  // (…, in) → (…, out)

  const std::string& name() const { return name_; }  // as in Diffusers' named_modules()
  const Shape& shape() const { return shape_; }
  void attach(const Adapter* adapter) { adapter_ = adapter; }             // not owned; null detaches
  void append_parameters(std::vector<torch::Tensor>& parameters) const {  // the adapter's
    if (adapter_) adapter_->append_parameters(parameters);
  }

 private:
  std::string name_;
  Shape shape_;
  FrozenLinear product_;
  const Adapter* adapter_ = nullptr;
};

FrozenConv2d load_conv(const WeightScope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride = 1);

class GroupNorm {
 public:
  GroupNorm(const WeightScope& scope, int64_t channels, int64_t groups, double eps);
  torch::Tensor operator()(const torch::Tensor& x) const;  // (B, C, H, W)

 private:
  int64_t groups_;
  double eps_;
  torch::Tensor weight_, bias_;
};

class LayerNorm {
 public:
  LayerNorm(const WeightScope& scope, int64_t features);
  torch::Tensor operator()(const torch::Tensor& x) const;  // (…, features)

 private:
  torch::Tensor weight_, bias_;
};

// silu(x) of a tensor that nobody else holds: in place where no graph needs it.
torch::Tensor silu_of_temporary(torch::Tensor x);

}  // namespace leco
