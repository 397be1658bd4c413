#include "text/clip_layers.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace leco {
namespace {

torch::Tensor activate(const torch::Tensor& x, ClipActivation activation) {
  switch (activation) {
    case ClipActivation::kQuickGelu:
      return x * at::sigmoid(1.702 * x);
    case ClipActivation::kGelu:
      return at::gelu(x);
  }
  throw Error("internal: unknown ClipActivation");
}

}  // namespace

void ClipWeights::drop_position_ids(const std::string& name) const {
  if (const TensorInfo* info = weights_.find(name)) {
    const std::vector<int64_t> shape = info->shape;
    weights_.take(name, shape);
  }
}

ClipLayers::ClipLayers(const Shape& shape, const ClipWeights& weights, const std::string& prefix)
    : shape_(shape) {
  const int64_t width = shape.hidden_size, inner = shape.intermediate_size;
  for (int64_t i = 0; i < shape.layers; ++i) {
    const std::string layer = prefix + "layers." + std::to_string(i) + ".";
    const std::string attention = layer + "self_attn.";
    layers_.push_back({.layer_norm1 = weights.layer_norm(layer + "layer_norm1", width),
                       .q_proj = weights.linear(attention + "q_proj", width, width),
                       .k_proj = weights.linear(attention + "k_proj", width, width),
                       .v_proj = weights.linear(attention + "v_proj", width, width),
                       .out_proj = weights.linear(attention + "out_proj", width, width),
                       .layer_norm2 = weights.layer_norm(layer + "layer_norm2", width),
                       .fc1 = weights.linear(layer + "mlp.fc1", inner, width),
                       .fc2 = weights.linear(layer + "mlp.fc2", width, inner)});
  }
}

torch::Tensor ClipLayers::pass(torch::Tensor hidden, int64_t first, int64_t end) const {
  LECO_ASSERT(first >= 0 && first <= end && end <= std::ssize(layers_));
  const at::NoGradGuard no_grad;
  for (int64_t i = first; i < end; ++i) {
    const Layer& layer = layers_[static_cast<size_t>(i)];
    hidden = hidden + attention(norm(hidden, layer.layer_norm1), layer);
    hidden = hidden + feed_forward(norm(hidden, layer.layer_norm2), layer);
  }
  return hidden;
}

torch::Tensor ClipLayers::norm(const torch::Tensor& x, const Affine& affine) const {
  return at::layer_norm(x, {shape_.hidden_size}, affine.weight, affine.bias, shape_.layer_norm_eps);
}

torch::Tensor ClipLayers::attention(const torch::Tensor& x, const Layer& layer) const {
  const auto heads_of = [&](const Affine& projection) {  // (n, length, D) → (n, heads, length, D/heads)
    return at::linear(x, projection.weight, projection.bias)
        .unflatten(-1, {shape_.heads, -1})
        .transpose(1, 2);
  };
  const torch::Tensor attended =
      at::scaled_dot_product_attention(heads_of(layer.q_proj), heads_of(layer.k_proj), heads_of(layer.v_proj),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0, shape_.causal);
  return at::linear(attended.transpose(1, 2).flatten(-2), layer.out_proj.weight, layer.out_proj.bias);
}

torch::Tensor ClipLayers::feed_forward(const torch::Tensor& x, const Layer& layer) const {
  const torch::Tensor inner = activate(at::linear(x, layer.fc1.weight, layer.fc1.bias), shape_.activation);
  return at::linear(inner, layer.fc2.weight, layer.fc2.bias);
}

}  // namespace leco
