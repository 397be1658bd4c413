// CLIP's text encoder: tokens and positions, then causal layers (text/clip_layers.h). Names and layout as
// transformers' CLIPTextModel.
#pragma once

#include <torch/types.h>

#include "io/state_dict.h"
#include "text/clip_config.h"
#include "text/clip_layers.h"

namespace leco {

class ClipText {
 public:
  // Takes the tensors `text_model.…` out of `weights`, converted to `compute` on `device`; a missing or
  // mis-shaped one is a usage error that names it. What it does not know stays in `weights`.
  ClipText(const ClipTextConfig& config, StateDict& weights, torch::Device device, torch::ScalarType compute);

  // ids (n, length) int64, length ≤ max_position_embeddings, each below vocab_size → (n, length, D), the last
  // hidden state after the final norm. Records no gradient.
  torch::Tensor operator()(const torch::Tensor& ids) const;

  // The parts of it, for families that stop earlier: hidden state after the first `count` layers (0: the
  // embeddings), without the final norm; from there on, what layers `first` … `end` − 1 make of a hidden
  // state; and the final norm.
  torch::Tensor hidden_state(const torch::Tensor& ids, int64_t count) const;  // (n, length, D)
  torch::Tensor pass_layers(torch::Tensor hidden, int64_t first, int64_t end) const;
  torch::Tensor final_norm(const torch::Tensor& hidden) const;

  const ClipTextConfig& config() const { return config_; }

 private:
  ClipTextConfig config_;
  torch::Device device_;
  torch::Tensor token_embedding_;     // (vocab_size, D)
  torch::Tensor position_embedding_;  // (max_position_embeddings, D)
  ClipLayers layers_;
  ClipWeights::Affine final_layer_norm_;
};

}  // namespace leco
