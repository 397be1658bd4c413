// The toy Stable Diffusion of tests/data, as tests use it.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "io/file_source.h"
#include "model/unet.h"
#include "pipeline/base_model.h"
#include "text/prompt_embeddings.h"

namespace leco {

inline const std::string kToyModel = LECO_TEST_DATA "/toy-sd";

inline std::unique_ptr<UNet> load_toy_unet(Placement placement = {}) {
  LocalFileSource files;
  return open_base_model(files, kToyModel)->load_unet(placement);
}

inline PromptEmbeddings encode_with_toy(const std::vector<std::string>& prompts) {
  LocalFileSource files;
  return encode_prompts({open_text_encoder(files, kToyModel, "text_encoder", "tokenizer")}, {}, prompts,
                        torch::kCPU);
}

// One call with a timestep and a text for each sample: x (B, 4, h, w), timesteps (B), text (B, 77, D).
inline torch::Tensor predict(const UNet& unet, const torch::Tensor& x, const torch::Tensor& timesteps,
                             const torch::Tensor& text, const AdapterPass& pass = adapters_off()) {
  return unet(x, unet.embed_time(timesteps), unet.project_text(text, pass), pass);
}

}  // namespace leco
