// The transformer that CLIP's text encoder and its picture encoder share: layers with the norm before each
// sub-layer. Radford et al., "Learning transferable visual models from natural language supervision", 2021;
// names and layout as transformers' CLIPEncoder.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "io/state_dict.h"
#include "text/clip_config.h"

namespace leco {

// Takes tensors out of `weights`, converted to a type on a device; a missing or mis-shaped one is a usage
// error that names it.
class ClipWeights {
 public:
  struct Affine {  // a linear layer or a layer norm
    torch::Tensor weight, bias;
  };
  ClipWeights(StateDict& weights, torch::Device device, torch::ScalarType compute)
      : weights_(weights), where_(torch::TensorOptions().device(device).dtype(compute)) {}

  torch::Tensor tensor(const std::string& name, const std::vector<int64_t>& shape) const {
    return weights_.take_weight(name, shape).to(where_);
  }
  Affine linear(const std::string& name, int64_t out, int64_t in) const {
    return {tensor(name + ".weight", {out, in}), tensor(name + ".bias", {out})};
  }
  Affine layer_norm(const std::string& name, int64_t width) const {
    return {tensor(name + ".weight", {width}), tensor(name + ".bias", {width})};
  }
  // Some files carry the positions 0, 1, …, a constant that transformers once stored.
  void drop_position_ids(const std::string& name) const;

 private:
  StateDict& weights_;
  torch::TensorOptions where_;
};

class ClipLayers {
 public:
  struct Shape {
    int64_t hidden_size = 0;  // D
    int64_t intermediate_size = 0, layers = 0, heads = 0;
    ClipActivation activation = ClipActivation::kQuickGelu;
    double layer_norm_eps = 1e-5;
    bool causal = false;  // a token sees those before it only
  };
  // Takes `<prefix>layers.0.…` and so on, "text_model.encoder." or "vision_model.encoder.".
  ClipLayers(const Shape& shape, const ClipWeights& weights, const std::string& prefix);

  // What layers `first` … `end` − 1 make of a hidden state (n, length, D). Records no gradient.
  torch::Tensor pass(torch::Tensor hidden, int64_t first, int64_t end) const;

  torch::Tensor norm(const torch::Tensor& x, const ClipWeights::Affine& affine) const;  // (…, D)

 private:
  using Affine = ClipWeights::Affine;
  struct Layer {
    Affine layer_norm1, q_proj, k_proj, v_proj, out_proj;
    Affine layer_norm2, fc1, fc2;
  };
  torch::Tensor attention(const torch::Tensor& x, const Layer& layer) const;
  torch::Tensor feed_forward(const torch::Tensor& x, const Layer& layer) const;

  Shape shape_;
  std::vector<Layer> layers_;
};

}  // namespace leco
