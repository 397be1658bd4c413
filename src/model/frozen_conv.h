// A convolution with frozen weights: the gradient reaches the input and nothing else.
//
// On the CPU in float32 and bfloat16 the weight is kept in oneDNN's own layout and nowhere else. PyTorch lays
// a plain weight out anew at every call, which takes up to ten times as long as the convolution itself for
// the small pictures that LECO trains on. Which layout is best depends on the picture, so it is chosen at the
// first call; pictures of other sizes stay right and may be slower. The layout never shows in the result:
// oneDNN picks the computation by the shapes alone.
#pragma once

#include <torch/types.h>

#include <optional>
#include <vector>

namespace leco {

// Square kernel, zero padding of kernel/2. On the CPU pictures are channels_last, in which oneDNN computes.
class FrozenConv2d {
 public:
  // weight (out, in, k, k) may be of any type; it is brought to `dtype`, that of bias and pictures, where it
  // is laid out, so that loading keeps no second copy.
  FrozenConv2d(const torch::Tensor& weight, std::optional<torch::Tensor> bias, int64_t stride = 1,
               torch::ScalarType dtype = torch::kFloat32);

  torch::Tensor operator()(const torch::Tensor& x) const;  // (B, in, H, W) → (B, out, ⌈H/s⌉, ⌈W/s⌉)

  // The next call chooses the layout again: a model that is used once more gives the bits of a fresh one.
  void forget_layout() const;

  // The two halves of operator() where a gradient is wanted.
  torch::Tensor forward(const torch::Tensor& x) const;
  torch::Tensor input_gradient(const torch::Tensor& output_gradient, torch::IntArrayRef input_shape) const;

 private:
  torch::Tensor gradient_by_blocks(const torch::Tensor& output_gradient,
                                   torch::IntArrayRef input_shape) const;

  torch::Tensor forward_in_float16(const torch::Tensor& x) const;
  void lay_out(torch::IntArrayRef input_shape) const;

  int64_t in_, out_, kernel_;
  std::vector<int64_t> stride_, padding_;
  torch::ScalarType dtype_;
  bool onednn_, in_float16_;      // which way the CPU takes; neither: the plain one
  mutable torch::Tensor weight_;  // as given until the first call, then with onednn_ in oneDNN's layout
  mutable torch::Tensor
      blocks_;  // (out/b, k·k·in, b): the same memory as a plain tensor; undefined where it is not so
  std::optional<torch::Tensor> bias_;
};

}  // namespace leco
