// Matrix products and convolutions with frozen weights: the gradient reaches the input and nothing else.
//
// Two engines. `plain` calls ATen. `onednn` (CPU, float32) keeps the weight in oneDNN's own layout: PyTorch
// lays a plain weight out anew at every call, which costs more than the product itself for the small pictures
// that LECO trains on. The engine of a layer is chosen once, when it is built, by device, type and size.
#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

namespace leco {

class FrozenOp {
 public:
  virtual ~FrozenOp() = default;
  torch::Tensor operator()(const torch::Tensor& input) const;  // differentiable in `input`

  virtual torch::Tensor forward(const torch::Tensor& input) const = 0;
  virtual torch::Tensor input_gradient(const torch::Tensor& output_gradient,
                                       torch::IntArrayRef input_shape) const = 0;
};

class FrozenLinear final : public FrozenOp {
 public:
  FrozenLinear(torch::Tensor weight /* (out, in) */, std::optional<torch::Tensor> bias /* (out) */);
  int64_t in_features() const { return in_features_; }
  int64_t out_features() const { return out_features_; }

  torch::Tensor forward(const torch::Tensor& input) const override;  // (rows, in) → (rows, out)
  torch::Tensor input_gradient(const torch::Tensor& output_gradient,
                               torch::IntArrayRef input_shape) const override;

 private:
  int64_t in_features_, out_features_;
  bool onednn_;
  torch::Tensor weight_;
  std::optional<torch::Tensor> bias_;
};

// Square kernel, zero padding of kernel/2. On the CPU pictures are channels_last, which is what oneDNN
// computes in.
class FrozenConv2d final : public FrozenOp {
 public:
  FrozenConv2d(torch::Tensor weight /* (out, in, k, k) */, std::optional<torch::Tensor> bias,
               int64_t stride = 1);

  torch::Tensor forward(const torch::Tensor& input) const override;  // (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)
  torch::Tensor input_gradient(const torch::Tensor& output_gradient,
                               torch::IntArrayRef input_shape) const override;

 private:
  std::vector<int64_t> stride_, padding_, dilation_ = {1, 1};
  bool onednn_;
  torch::Tensor weight_;
  std::optional<torch::Tensor> bias_;
};

}  // namespace leco
