// What text_encoder/config.json says of a CLIP text encoder.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace leco {

enum class ClipActivation {
  kQuickGelu,  // x · sigmoid(1.702 x): OpenAI's ViT-L of SD 1.x
  kGelu,       // with the error function: OpenCLIP's encoders of SD 2.x and SDXL
};

struct ClipTextConfig {
  int64_t vocab_size = 0;
  int64_t hidden_size = 0;  // D
  int64_t intermediate_size = 0;
  int64_t num_hidden_layers = 0;
  int64_t num_attention_heads = 0;
  int64_t max_position_embeddings = 0;  // at least Tokenizer::kLength
  ClipActivation hidden_act = ClipActivation::kQuickGelu;
  double layer_norm_eps = 0;
};

// Every field is required, as a positive number or a known activation; keys that do not act on the hidden
// states are not looked at. Throws usage errors that name `path` and the key.
ClipTextConfig parse_clip_text_config(std::string_view json, const std::string& path);

}  // namespace leco
