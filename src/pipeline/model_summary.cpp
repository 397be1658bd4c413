#include "pipeline/model_summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "text/clip_projection.h"
#include "text/clip_text.h"

namespace leco {
namespace {

ComponentSummary start(const std::string& what, const std::string& sizes, const StateDict& weights) {
  return {.what = what,
          .sizes = sizes,
          .file = weights.origin(),
          .parameters = weights.numbers_left(),
          .tensors_of_type = weights.types_left()};
}

ComponentSummary summarise_unet(const BaseModel& model) {
  const UNetConfig& config = model.unet_config();
  StateDict weights = model.open_unet(Contents::kOutline);
  ComponentSummary part =
      start("U-Net",
            fmt::format("channels {}; heads {}; transformer blocks {}; text of {} features",
                        fmt::join(config.block_out_channels, ", "), fmt::join(config.heads, ", "),
                        fmt::join(config.transformer_depth, ", "), config.cross_attention_dim),
            weights);
  weights.note_problems(part.problems);
  const UNet outline(config, weights, {.device = torch::kMeta});
  part.unused = weights.left();
  return part;
}

ComponentSummary summarise_encoder(TextEncoderSource& source, const std::string& what, bool pools) {
  const ClipTextConfig& config = source.config;
  ComponentSummary part =
      start(what,
            fmt::format("{} layers of {} features, {} heads, {}; {} tokens at most, vocabulary of {}{}",
                        config.num_hidden_layers, config.hidden_size, config.num_attention_heads,
                        config.hidden_act == ClipActivation::kGelu ? "gelu" : "quick_gelu",
                        config.max_position_embeddings, config.vocab_size,
                        pools ? fmt::format("; pooled to {}", config.projection_dim) : ""),
            source.weights);
  source.weights.note_problems(part.problems);
  const ClipText outline(config, source.weights, torch::kMeta, torch::kFloat32);
  if (pools) const ClipProjection projection(config, source.weights, torch::kMeta, torch::kFloat32);
  part.unused = source.weights.left();
  return part;
}

ComponentSummary summarise_vae(const BaseModel& model) {
  VaeSource vae = model.open_vae("", Contents::kOutline);
  ComponentSummary part =
      start("VAE",
            fmt::format("decoder, channels {}; scaling factor {}",
                        fmt::join(vae.config.block_out_channels, ", "), vae.config.scaling_factor),
            vae.weights);
  part.is_trained_with = false;
  vae.weights.note_problems(part.problems);
  const Vae outline(vae.config, vae.weights, torch::kMeta);
  part.unused = vae.weights.left();
  return part;
}

}  // namespace

bool ModelSummary::can_be_trained() const {
  return std::ranges::all_of(components, [](const ComponentSummary& part) {
    return part.problems.empty() || !part.is_trained_with;
  });
}

ModelSummary summarise_model(const BaseModel& model) {
  ModelSummary summary{.path = model.path(),
                       .form = model.form(),
                       .family = model.family(),
                       .prediction = model.prediction(),
                       .prediction_source = model.prediction_source(),
                       .unet = model.unet_config(),
                       .components = {summarise_unet(model)},
                       .parts = model.parts(),
                       .notices = model.notices()};
  std::vector<TextEncoderSource> encoders = model.open_text_encoders(Contents::kOutline);
  for (size_t i = 0; i < encoders.size(); ++i)
    summary.components.push_back(
        summarise_encoder(encoders[i], i == 0 ? "text encoder" : "text encoder 2", /*pools=*/i == 1));
  if (model.has_vae()) summary.components.push_back(summarise_vae(model));
  return summary;
}

}  // namespace leco
