#include "measure/clip_score.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"
#include "measure/bicubic_resize.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor of_length_one(const Tensor& vector) {
  return vector / vector.norm();
}

}  // namespace

ClipVision::ClipVision(const ClipVisionConfig& config, int64_t projection_dim, const ClipWeights& weights)
    : config_(config),
      layers_({.hidden_size = config.hidden_size,
               .intermediate_size = config.intermediate_size,
               .layers = config.num_hidden_layers,
               .heads = config.num_attention_heads,
               .activation = config.hidden_act,
               .layer_norm_eps = config.layer_norm_eps},
              weights, "vision_model.encoder.") {
  const int64_t width = config.hidden_size, side = config.image_size / config.patch_size;
  const std::string embeddings = "vision_model.embeddings.";
  class_embedding_ = weights.tensor(embeddings + "class_embedding", {width});
  patch_embedding_ =
      weights.tensor(embeddings + "patch_embedding.weight", {width, 3, config.patch_size, config.patch_size});
  position_embedding_ = weights.tensor(embeddings + "position_embedding.weight", {side * side + 1, width});
  weights.drop_position_ids(embeddings + "position_ids");
  pre_norm_ = weights.layer_norm("vision_model.pre_layrnorm", width);  // the name has this slip in all files
  post_norm_ = weights.layer_norm("vision_model.post_layernorm", width);
  projection_ = weights.tensor("visual_projection.weight", {projection_dim, width});
}

Tensor ClipVision::operator()(const Tensor& pixels) const {
  const at::NoGradGuard no_grad;
  const int64_t patch = config_.patch_size;
  const Tensor patches = at::conv2d(pixels, patch_embedding_, {}, at::IntArrayRef({patch, patch}))
                             .flatten(2)
                             .transpose(1, 2);  // (n, places, D)
  const Tensor first = class_embedding_.expand({pixels.size(0), 1, -1});
  const Tensor hidden = layers_.norm(at::cat({first, patches}, 1) + position_embedding_, pre_norm_);
  const Tensor seen = layers_.pass(hidden, 0, config_.num_hidden_layers).select(1, 0);
  return at::linear(layers_.norm(seen, post_norm_), projection_);
}

Tensor clip_pixels(const Tensor& picture, const ClipPictureConfig& config) {
  const int64_t height = picture.size(0), width = picture.size(1), edge = config.shortest_edge;
  const int64_t shorter = std::min(height, width);
  const Tensor resized = resize_bicubic(picture, height * edge / shorter, width * edge / shorter);
  const int64_t top = (resized.size(0) - config.crop) / 2, left = (resized.size(1) - config.crop) / 2;
  const Tensor values =
      resized.narrow(0, top, config.crop).narrow(1, left, config.crop).permute({2, 0, 1}).to(torch::kFloat64);
  const auto channels = [](const std::array<double, 3>& three) {
    return at::tensor({three[0], three[1], three[2]}, torch::kFloat64).view({3, 1, 1});
  };
  return ((values / 255.0 - channels(config.mean)) / channels(config.std)).to(torch::kFloat32);
}

ClipScore::ClipScore(ClipFolder folder, torch::Device device)
    : picture_(folder.picture),
      origin_(folder.weights.origin()),
      device_(device),
      tokenizer_(folder.tokenizer),
      text_(folder.text, folder.weights, device, torch::kFloat32),
      text_projection_(folder.text, folder.weights, device, torch::kFloat32),
      vision_(folder.vision, folder.projection_dim, ClipWeights(folder.weights, device, torch::kFloat32)) {}

Tensor ClipScore::of_prompt(const std::string& prompt) const {
  std::vector<int64_t> framed = tokenizer_.encode(prompt);
  if (std::ranges::max(framed) >= text_.config().vocab_size)
    throw_usage(
        fmt::format("the prompt {:?} holds a token beyond the vocabulary of '{}' ({} tokens): its "
                    "tokenizer files belong to another model",
                    prompt, origin_, text_.config().vocab_size));
  const Tensor ids = at::from_blob(framed.data(), {1, Tokenizer::kLength}, torch::kInt64);
  return of_length_one(text_projection_(ids, text_(ids)).squeeze(0));
}

Tensor ClipScore::of_picture(const Tensor& picture) const {
  return of_length_one(vision_(clip_pixels(picture, picture_).unsqueeze(0).to(device_)).squeeze(0));
}

double clip_score(const Tensor& picture, const Tensor& prompt) {
  return 100.0 * picture.to(torch::kFloat64).dot(prompt.to(torch::kFloat64)).item<double>();
}

}  // namespace leco
