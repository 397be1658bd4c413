#include "model/attention.h"

#include "model/float16_on_cpu.h"

namespace leco {
namespace {

using torch::Tensor;

Linear load_projection(const WeightScope& scope, const TransformerShape& shape) {
  return {scope, {.in = shape.channels, .out = shape.channels, .convolution = !shape.linear_projection}};
}

Tensor gelu_of_temporary(Tensor x) {
  const bool graph_needs_it = at::GradMode::is_enabled() && x.requires_grad();
  return graph_needs_it ? at::gelu(x) : at::gelu_(x);
}

}  // namespace

Attention::Attention(const WeightScope& scope, const TransformerShape& shape, int64_t context_features)
    : heads_(shape.heads),
      upcast_(shape.upcast_attention),
      to_q_(scope / "to_q", {.in = shape.channels, .out = shape.channels, .bias = false}),
      to_k_(scope / "to_k", {.in = context_features, .out = shape.channels, .bias = false}),
      to_v_(scope / "to_v", {.in = context_features, .out = shape.channels, .bias = false}),
      to_out_(scope / "to_out.0", {.in = shape.channels, .out = shape.channels}) {}

Tensor Attention::split_heads(const Tensor& x) const {
  return x.view({x.size(0), x.size(1), heads_, -1}).transpose(1, 2);  // (B, L, C) → (B, heads, L, C/heads)
}

KeysValues Attention::project(const Tensor& context, const AdapterPass& pass) const {
  return {split_heads(to_k_(context, pass)), split_heads(to_v_(context, pass))};
}

Tensor Attention::mix(const Tensor& queries, const KeysValues& context) const {
  const auto type = queries.scalar_type();
  const bool in_float32 = is_float16_on_cpu(queries) || (upcast_ && c10::isReducedFloatingType(type));
  if (!in_float32) return at::scaled_dot_product_attention(queries, context.keys, context.values);
  const auto longer = [](const Tensor& x) { return x.to(torch::kFloat32); };
  return at::scaled_dot_product_attention(longer(queries), longer(context.keys), longer(context.values))
      .to(type);
}

Tensor Attention::operator()(const Tensor& x, const KeysValues& context, const AdapterPass& pass) const {
  const Tensor mixed = mix(split_heads(to_q_(x, pass)), context);
  return to_out_(mixed.transpose(1, 2).reshape(x.sizes()), pass);
}

void Attention::list(std::vector<AdaptedLayer*>& layers) {
  layers.insert(layers.end(), {&to_q_, &to_k_, &to_v_, &to_out_});
}

void Attention::append_parameters(Tensors& parameters) const {
  for (const Linear* linear : {&to_q_, &to_k_, &to_v_, &to_out_}) linear->append_parameters(parameters);
}

TransformerBlock::TransformerBlock(const WeightScope& scope, const TransformerShape& shape)
    : norm1_(scope / "norm1", shape.channels),
      norm2_(scope / "norm2", shape.channels),
      norm3_(scope / "norm3", shape.channels),
      attn1_(scope / "attn1", shape, shape.channels),
      attn2_(scope / "attn2", shape, shape.context_features),
      ff_in_(scope / "ff.net.0.proj", {.in = shape.channels, .out = 8 * shape.channels}),
      ff_out_(scope / "ff.net.2", {.in = 4 * shape.channels, .out = shape.channels}),
      recompute_(scope.placement().recompute_blocks) {}

Tensor TransformerBlock::operator()(Tensor x, const KeysValues& text, const AdapterPass& pass) const {
  if (!recompute_) return compute(std::move(x), text, pass);
  const auto block = [this, pass](const Tensors& inputs) {
    return compute(inputs[0], {inputs[1], inputs[2]}, pass);
  };
  return recomputed(block, {x, text.keys, text.values}, parameters());
}

Tensors TransformerBlock::parameters() const {
  Tensors parameters;
  attn1_.append_parameters(parameters);
  attn2_.append_parameters(parameters);
  for (const Linear* linear : {&ff_in_, &ff_out_}) linear->append_parameters(parameters);
  return parameters;
}

Tensor TransformerBlock::compute(Tensor x, const KeysValues& text, const AdapterPass& pass) const {
  const Tensor normed = norm1_(x);
  x = attn1_(normed, attn1_.project(normed, pass), pass).add_(x);
  x = attn2_(norm2_(x), text, pass).add_(x);
  return feed_forward(norm3_(x), pass).add_(x);
}

Tensor TransformerBlock::feed_forward(const Tensor& x, const AdapterPass& pass) const {
  const auto halves = ff_in_(x, pass).chunk(2, -1);  // GEGLU: value · gelu(gate)
  return ff_out_(halves[0] * gelu_of_temporary(halves[1]), pass);
}

void TransformerBlock::list(std::vector<AdaptedLayer*>& layers) {
  attn1_.list(layers);
  attn2_.list(layers);
  layers.insert(layers.end(), {&ff_in_, &ff_out_});
}

Transformer::Transformer(const WeightScope& scope, const TransformerShape& shape)
    : norm_(scope / "norm", shape.channels, shape.norm_groups, 1e-6),
      proj_in_(load_projection(scope / "proj_in", shape)),
      proj_out_(load_projection(scope / "proj_out", shape)) {
  for (int64_t i = 0; i < shape.depth; ++i)
    blocks_.emplace_back(scope / ("transformer_blocks." + std::to_string(i)), shape);
}

Tensor Transformer::operator()(const Tensor& x, const std::vector<KeysValues>& text,
                               const AdapterPass& pass) const {
  const int64_t batch = x.size(0), channels = x.size(1), height = x.size(2), width = x.size(3);
  Tensor tokens = norm_(x).permute({0, 2, 3, 1}).reshape({batch, height * width, channels});
  tokens = proj_in_(tokens, pass);
  for (size_t i = 0; i < blocks_.size(); ++i) tokens = blocks_[i](tokens, text[i], pass);
  tokens = proj_out_(tokens, pass);
  return x + tokens.view({batch, height, width, channels}).permute({0, 3, 1, 2});
}

std::vector<KeysValues> Transformer::project_text(const Tensor& text, const AdapterPass& pass) const {
  std::vector<KeysValues> projected;
  for (const TransformerBlock& block : blocks_) projected.push_back(block.project_text(text, pass));
  return projected;
}

void Transformer::list(std::vector<AdaptedLayer*>& layers) {
  layers.push_back(&proj_in_);
  for (TransformerBlock& block : blocks_) block.list(layers);
  layers.push_back(&proj_out_);
}

}  // namespace leco
