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
  int64_t projection_dim = 0;    // width of the pooled text; 0 where the file does not say it
  int64_t eos_token_id = 49407;  // at which the pooled text is taken; kLegacyEnd has a rule of its own

  // The value in files older than transformers 4.31, SDXL's among them: the end token is then the greatest id
  // of a row.
  static constexpr int64_t kLegacyEnd = 2;
};

// Every field but the last two is required, as a positive number or a known activation; keys that act on
// neither the hidden states nor the pooled text are not looked at. Throws usage errors that name `path` and
// the key.
ClipTextConfig parse_clip_text_config(std::string_view json, const std::string& path);

}  // namespace leco
