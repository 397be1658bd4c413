#include "text/stored_encoders.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/error.h"

namespace leco {
namespace {

constexpr int64_t kHeadFeatures = 64, kLayersOfConverters = 23;
constexpr std::string_view kModel = "text_model.";

int64_t size_at(const StateDict& file, const std::string& name, size_t dimension) {
  const TensorInfo* info = file.find(name);
  if (info == nullptr)
    throw_usage(
        fmt::format("'{}' has no tensor '{}': it comes without its text encoder, which training needs",
                    file.origin(), name));
  if (info->shape.size() <= dimension || info->shape[dimension] < 1)
    throw_usage(
        fmt::format("'{}': tensor '{}' has shape [{}]", file.origin(), name, fmt::join(info->shape, ", ")));
  return info->shape[dimension];
}

// How an encoder's shapes are found: three names, and one of every layer.
struct Landmarks {
  std::string tokens, positions, inner;  // inner: the first layer's fc1
  std::string layer_begin, layer_end;    // around a layer's number
};

ClipTextConfig config_of(const StateDict& file, const Landmarks& at) {
  ClipTextConfig config;
  config.vocab_size = size_at(file, at.tokens, 0);
  config.hidden_size = size_at(file, at.tokens, 1);
  config.max_position_embeddings = size_at(file, at.positions, 0);
  config.intermediate_size = size_at(file, at.inner, 0);
  config.layer_norm_eps = 1e-5;
  while (file.contains(fmt::format("{}{}{}", at.layer_begin, config.num_hidden_layers, at.layer_end)))
    ++config.num_hidden_layers;
  if (config.hidden_size % kHeadFeatures != 0)
    throw_usage(
        fmt::format("'{}': a text encoder of {} features, no multiple of {}; it is not one of SD "
                    "1.x, SD 2.x or SDXL",
                    file.origin(), config.hidden_size, kHeadFeatures));
  config.num_attention_heads = config.hidden_size / kHeadFeatures;
  return config;
}

StoredAs in_open_clip_layer(std::string_view name) {
  using Names = std::pair<std::string_view, std::string_view>;
  constexpr std::array<Names, 5> kLayers = {{{"layer_norm1.", "ln_1."},
                                             {"layer_norm2.", "ln_2."},
                                             {"mlp.fc1.", "mlp.c_fc."},
                                             {"mlp.fc2.", "mlp.c_proj."},
                                             {"self_attn.out_proj.", "attn.out_proj."}}};
  for (const auto& [ours, theirs] : kLayers)
    if (name.starts_with(ours)) return {std::string(theirs).append(name.substr(ours.size()))};
  constexpr std::string_view kFused = "qkv";
  constexpr std::string_view kAttention = "self_attn.";
  LECO_ASSERT(name.starts_with(kAttention));
  name.remove_prefix(kAttention.size());  // "q_proj.weight"
  return {.name = "attn.in_proj_" + std::string(name.substr(name.find('.') + 1)),
          .part = static_cast<int64_t>(kFused.find(name[0])),
          .parts = std::ssize(kFused)};
}

StoredAs in_open_clip(const std::string& name) {
  constexpr std::string_view kLayers = "text_model.encoder.layers.";
  if (name == "text_projection.weight") return {.name = "text_projection", .transposed = true};
  if (name == "text_model.embeddings.token_embedding.weight") return {"token_embedding.weight"};
  if (name == "text_model.embeddings.position_embedding.weight") return {"positional_embedding"};
  if (name.starts_with(kLayers)) {
    const std::string_view rest = std::string_view(name).substr(kLayers.size());
    const size_t dot = rest.find('.');
    StoredAs stored = in_open_clip_layer(rest.substr(dot + 1));
    stored.name = fmt::format("transformer.resblocks.{}.{}", rest.substr(0, dot), stored.name);
    return stored;
  }
  constexpr std::string_view kFinal = "text_model.final_layer_norm.";
  if (name.starts_with(kFinal)) return {"ln_final." + name.substr(kFinal.size())};
  return {name};  // nothing that OpenCLIP has
}

}  // namespace

StoredEncoder stored_clip(StateDict file, const std::string& prefix) {
  const bool is_old = !file.contains(prefix + "text_model.embeddings.token_embedding.weight") &&
                      file.contains(prefix + "embeddings.token_embedding.weight");
  const std::string model = is_old ? prefix : prefix + std::string(kModel);
  ClipTextConfig config = config_of(file, {.tokens = model + "embeddings.token_embedding.weight",
                                           .positions = model + "embeddings.position_embedding.weight",
                                           .inner = model + "encoder.layers.0.mlp.fc1.weight",
                                           .layer_begin = model + "encoder.layers.",
                                           .layer_end = ".layer_norm1.weight"});
  config.hidden_act = ClipActivation::kQuickGelu;
  file.keep([&](const std::string& name) { return name.starts_with(prefix); });
  file.spell([prefix, is_old](const std::string& name) {
    return StoredAs{prefix + (is_old ? name.substr(kModel.size()) : name)};
  });
  return {config, std::move(file)};
}

StoredEncoder stored_open_clip(StateDict file, const std::string& prefix, bool stops_early) {
  const std::string layers = prefix + "transformer.resblocks.";
  ClipTextConfig config = config_of(file, {.tokens = prefix + "token_embedding.weight",
                                           .positions = prefix + "positional_embedding",
                                           .inner = layers + "0.mlp.c_fc.weight",
                                           .layer_begin = layers,
                                           .layer_end = ".ln_1.weight"});
  config.hidden_act = ClipActivation::kGelu;
  std::vector<std::string> unused = {prefix + "logit_scale", prefix + "attn_mask"};
  if (stops_early) {
    unused.push_back(prefix + "text_projection");
    if (config.num_hidden_layers != kLayersOfConverters && config.num_hidden_layers > 1) {
      --config.num_hidden_layers;
      unused.push_back(fmt::format("{}{}.", layers, config.num_hidden_layers));
    }
  } else {
    config.projection_dim = size_at(file, prefix + "text_projection", 1);
  }
  file.keep([&](const std::string& name) {
    const auto begins = [&](const std::string& begin) { return name.starts_with(begin); };
    return name.starts_with(prefix) && std::ranges::none_of(unused, begins);
  });
  file.spell([prefix](const std::string& name) {
    StoredAs stored = in_open_clip(name);
    stored.name = prefix + stored.name;
    return stored;
  });
  return {config, std::move(file)};
}

}  // namespace leco
