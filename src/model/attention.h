// The transformer inside a U-Net level: self-attention, cross-attention to the text, feed-forward.
// Reference: diffusers' Transformer2DModel, BasicTransformerBlock, Attention, FeedForward (GEGLU).
#pragma once

#include <vector>

#include "model/layers.h"
#include "model/recompute.h"

namespace leco {

// Keys and values of one attention layer, (B, heads, L, features/heads) each.
struct KeysValues {
  torch::Tensor keys, values;
};

struct TransformerShape {
  int64_t channels, heads, context_features;
  int64_t depth = 1;
  int64_t norm_groups = 32;
  bool linear_projection = false;  // proj_in and proj_out stored as linear layers instead of 1×1 convolutions
  bool upcast_attention = false;   // scores in float32 where the layers compute in a shorter type
};

class Attention {
 public:
  Attention(const WeightScope& scope, const TransformerShape& shape, int64_t context_features);
  KeysValues project(const torch::Tensor& context,
                     const AdapterPass& pass) const;  // (B, L, context_features)
  torch::Tensor operator()(const torch::Tensor& x, const KeysValues& context, const AdapterPass& pass) const;
  void list(std::vector<AdaptedLayer*>& layers);
  void append_parameters(Tensors& parameters) const;

 private:
  torch::Tensor split_heads(const torch::Tensor& x) const;
  torch::Tensor mix(const torch::Tensor& queries, const KeysValues& context) const;
  int64_t heads_;
  bool upcast_;
  Linear to_q_, to_k_, to_v_, to_out_;
};

class TransformerBlock {
 public:
  TransformerBlock(const WeightScope& scope, const TransformerShape& shape);
  torch::Tensor operator()(torch::Tensor x, const KeysValues& text,
                           const AdapterPass& pass) const;  // (B, L, C)
  KeysValues project_text(const torch::Tensor& text, const AdapterPass& pass) const {
    return attn2_.project(text, pass);
  }
  void list(std::vector<AdaptedLayer*>& layers);

 private:
  torch::Tensor compute(torch::Tensor x, const KeysValues& text, const AdapterPass& pass) const;
  Tensors parameters() const;
  torch::Tensor feed_forward(const torch::Tensor& x, const AdapterPass& pass) const;
  LayerNorm norm1_, norm2_, norm3_;
  Attention attn1_, attn2_;
  Linear ff_in_, ff_out_;
  bool recompute_;
};

class Transformer {
 public:
  Transformer(const WeightScope& scope, const TransformerShape& shape);
  // `text` is this transformer's part of the projected text, one entry a block. x (B, C, H, W).
  torch::Tensor operator()(const torch::Tensor& x, const std::vector<KeysValues>& text,
                           const AdapterPass& pass) const;
  std::vector<KeysValues> project_text(const torch::Tensor& text, const AdapterPass& pass) const;
  void list(std::vector<AdaptedLayer*>& layers);  // appends its layers in Diffusers' order

 private:
  GroupNorm norm_;
  Linear proj_in_;
  std::vector<TransformerBlock> blocks_;
  Linear proj_out_;
};

}  // namespace leco
