#include "text/clip_text.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace leco {
namespace {

// Takes tensors under one prefix and brings them to where they are used.
struct Loader {
  StateDict& weights;
  torch::TensorOptions where;

  torch::Tensor tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    return weights.take_weight(name, shape).to(where);
  }
};

// Some files carry the positions 0, 1, …, a constant that transformers once stored. It says nothing that is
// needed.
void drop_position_ids(StateDict& weights) {
  const std::string name = "text_model.embeddings.position_ids";
  if (const TensorInfo* info = weights.find(name)) {
    const std::vector<int64_t> shape = info->shape;
    weights.take(name, shape);
  }
}

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

ClipText::ClipText(const ClipTextConfig& config, StateDict& weights, torch::Device device,
                   torch::ScalarType compute)
    : config_(config), device_(device) {
  const Loader load{weights, torch::TensorOptions().device(device).dtype(compute)};
  const int64_t width = config.hidden_size, inner = config.intermediate_size;
  const auto linear = [&](const std::string& name, int64_t out, int64_t in) {
    return Affine{load.tensor(name + ".weight", {out, in}), load.tensor(name + ".bias", {out})};
  };
  const auto layer_norm = [&](const std::string& name) {
    return Affine{load.tensor(name + ".weight", {width}), load.tensor(name + ".bias", {width})};
  };
  const std::string embeddings = "text_model.embeddings.";
  token_embedding_ = load.tensor(embeddings + "token_embedding.weight", {config.vocab_size, width});
  position_embedding_ =
      load.tensor(embeddings + "position_embedding.weight", {config.max_position_embeddings, width});
  drop_position_ids(weights);
  for (int64_t i = 0; i < config.num_hidden_layers; ++i) {
    const std::string layer = "text_model.encoder.layers." + std::to_string(i) + ".";
    const std::string attention = layer + "self_attn.";
    layers_.push_back({.layer_norm1 = layer_norm(layer + "layer_norm1"),
                       .q_proj = linear(attention + "q_proj", width, width),
                       .k_proj = linear(attention + "k_proj", width, width),
                       .v_proj = linear(attention + "v_proj", width, width),
                       .out_proj = linear(attention + "out_proj", width, width),
                       .layer_norm2 = layer_norm(layer + "layer_norm2"),
                       .fc1 = linear(layer + "mlp.fc1", inner, width),
                       .fc2 = linear(layer + "mlp.fc2", width, inner)});
  }
  final_layer_norm_ = layer_norm("text_model.final_layer_norm");
}

torch::Tensor ClipText::operator()(const torch::Tensor& ids) const {
  return final_norm(hidden_state(ids, config_.num_hidden_layers));
}

torch::Tensor ClipText::hidden_state(const torch::Tensor& ids, int64_t count) const {
  LECO_ASSERT(ids.dim() == 2 && ids.scalar_type() == torch::kInt64);
  LECO_ASSERT(ids.size(1) <= config_.max_position_embeddings);
  const at::NoGradGuard no_grad;
  return pass_layers(
      at::embedding(token_embedding_, ids.to(device_)) + position_embedding_.narrow(0, 0, ids.size(1)), 0,
      count);
}

torch::Tensor ClipText::pass_layers(torch::Tensor hidden, int64_t first, int64_t end) const {
  LECO_ASSERT(first >= 0 && first <= end && end <= config_.num_hidden_layers);
  const at::NoGradGuard no_grad;
  for (int64_t i = first; i < end; ++i) {
    const Layer& layer = layers_[static_cast<size_t>(i)];
    hidden = hidden + attention(norm(hidden, layer.layer_norm1), layer);
    hidden = hidden + feed_forward(norm(hidden, layer.layer_norm2), layer);
  }
  return hidden;
}

torch::Tensor ClipText::final_norm(const torch::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  return norm(hidden, final_layer_norm_);
}

torch::Tensor ClipText::norm(const torch::Tensor& x, const Affine& affine) const {
  return at::layer_norm(x, {config_.hidden_size}, affine.weight, affine.bias, config_.layer_norm_eps);
}

torch::Tensor ClipText::attention(const torch::Tensor& x, const Layer& layer) const {
  const auto heads_of = [&](const Affine& projection) {  // (n, length, D) → (n, heads, length, D/heads)
    return at::linear(x, projection.weight, projection.bias)
        .unflatten(-1, {config_.num_attention_heads, -1})
        .transpose(1, 2);
  };
  const torch::Tensor attended =
      at::scaled_dot_product_attention(heads_of(layer.q_proj), heads_of(layer.k_proj), heads_of(layer.v_proj),
                                       /*attn_mask=*/{}, /*dropout_p=*/0.0, /*is_causal=*/true);
  return at::linear(attended.transpose(1, 2).flatten(-2), layer.out_proj.weight, layer.out_proj.bias);
}

torch::Tensor ClipText::feed_forward(const torch::Tensor& x, const Layer& layer) const {
  const torch::Tensor inner = activate(at::linear(x, layer.fc1.weight, layer.fc1.bias), config_.hidden_act);
  return at::linear(inner, layer.fc2.weight, layer.fc2.bias);
}

}  // namespace leco
