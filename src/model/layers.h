// The layers of a U-Net: linear layers and convolutions, each with an adapter slot, and norms.
#pragma once

#include <string>
#include <vector>

#include "model/adapter.h"
#include "model/frozen_conv.h"
#include "model/frozen_linear.h"
#include "model/weight_scope.h"

namespace leco {

// A linear layer, or a 1×1 convolution, which is the same product (pictures come as (B, H·W, C) here).
class Linear : public AdaptedLayer {
 public:
  Linear(const WeightScope& scope, LayerShape shape);
  torch::Tensor operator()(const torch::Tensor& x, const AdapterPass& pass) const;  // (…, in) → (…, out)

 private:
  FrozenLinear product_;
};

class Conv2d : public AdaptedLayer {
 public:
  Conv2d(const WeightScope& scope, LayerShape shape);
  torch::Tensor operator()(const torch::Tensor& x, const AdapterPass& pass) const;  // as FrozenConv2d
  void forget_layout() const override { convolution_.forget_layout(); }

 private:
  FrozenConv2d convolution_;
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
