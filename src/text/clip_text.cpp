#include "text/clip_text.h"

#include <ATen/ATen.h>

#include "core/error.h"

namespace leco {
namespace {

ClipLayers::Shape layers_of(const ClipTextConfig& config) {
  return {.hidden_size = config.hidden_size,
          .intermediate_size = config.intermediate_size,
          .layers = config.num_hidden_layers,
          .heads = config.num_attention_heads,
          .activation = config.hidden_act,
          .layer_norm_eps = config.layer_norm_eps,
          .causal = true};
}

}  // namespace

ClipText::ClipText(const ClipTextConfig& config, StateDict& weights, torch::Device device,
                   torch::ScalarType compute)
    : config_(config),
      device_(device),
      layers_(layers_of(config), ClipWeights(weights, device, compute), "text_model.encoder.") {
  const ClipWeights load(weights, device, compute);
  const int64_t width = config.hidden_size;
  const std::string embeddings = "text_model.embeddings.";
  token_embedding_ = load.tensor(embeddings + "token_embedding.weight", {config.vocab_size, width});
  position_embedding_ =
      load.tensor(embeddings + "position_embedding.weight", {config.max_position_embeddings, width});
  load.drop_position_ids(embeddings + "position_ids");
  final_layer_norm_ = load.layer_norm("text_model.final_layer_norm", width);
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
  return layers_.pass(std::move(hidden), first, end);
}

torch::Tensor ClipText::final_norm(const torch::Tensor& hidden) const {
  const at::NoGradGuard no_grad;
  return layers_.norm(hidden, final_layer_norm_);
}

}  // namespace leco
