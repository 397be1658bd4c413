// The prompts of a run as the U-Net takes them: encoded once, before training, by encoders that are freed
// after.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "text/text_encoder_source.h"

namespace leco {

struct PromptEmbedding {
  torch::Tensor context;  // (L, D) float32, L = TextSettings::max_token_length + 2; SDXL: D1 + D2
  torch::Tensor pooled;   // (projection_dim) float32; SDXL only, else undefined
};

class PromptEmbeddings {
 public:
  PromptEmbeddings() = default;
  explicit PromptEmbeddings(std::map<std::string, PromptEmbedding> by_prompt)
      : by_prompt_(std::move(by_prompt)) {}

  // On the device; no gradient. Asking for a prompt that was not encoded is a bug.
  const PromptEmbedding& at(const std::string& prompt) const;

  size_t size() const { return by_prompt_.size(); }

 private:
  std::map<std::string, PromptEmbedding> by_prompt_;
};

struct TextSettings {
  // SD 1.x and 2.x: the hidden state after all layers, or with clip_skip s the s-th from the end, then the
  // final norm. SDXL: of both encoders the hidden state before the last layer, without the norm, and the
  // second one's pooled text; clip_skip has no effect.
  enum class Kind { kSd1, kSd2, kSdxl };
  Kind kind = Kind::kSd1;
  int64_t max_token_length = 75;  // 75, 150 or 225: longer ones are read in chunks of 75, as in sd-scripts
  std::optional<int64_t> clip_skip = {};  // 1: the last hidden state, as without it
};

// Encodes each distinct prompt once, in float32, with one encoder (SDXL: two) after the other, each freed
// before the next is read. One prompt a call: a prompt's embedding is then the same bits whatever stands
// beside it. Longer prompts are cut, with a warning each; tensors an encoder does not know are listed in one.
// Throws usage errors, also for a clip_skip that the encoder does not have. Collective where the sources'
// files are.
PromptEmbeddings encode_prompts(std::vector<TextEncoderSource> encoders, const TextSettings& settings,
                                const std::vector<std::string>& prompts, torch::Device device);

}  // namespace leco
