// The prompts of a run as the U-Net takes them: encoded once, before training, by an encoder that is freed
// after.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <vector>

#include "io/file_source.h"

namespace leco {

class PromptEmbeddings {
 public:
  PromptEmbeddings() = default;
  explicit PromptEmbeddings(std::map<std::string, torch::Tensor> by_prompt)
      : by_prompt_(std::move(by_prompt)) {}

  // (77, D) float32 on the device; no gradient. Asking for a prompt that was not encoded is a bug.
  const torch::Tensor& at(const std::string& prompt) const;

  size_t size() const { return by_prompt_.size(); }

 private:
  std::map<std::string, torch::Tensor> by_prompt_;
};

// Reads tokenizer/ and text_encoder/ of the Diffusers folder `model_folder` (SD 1.x, or SD 2.x, whose folders
// hold only the layers that are used) and encodes each distinct prompt once, in float32. One prompt a call: a
// prompt's embedding is then the same bits whatever stands beside it. Prompts of more than 75 tokens are cut,
// with a warning each; tensors the encoder does not know are listed in one. Throws usage errors. Collective
// where `files` is.
PromptEmbeddings encode_prompts(FileSource& files, const std::string& model_folder,
                                const std::vector<std::string>& prompts, torch::Device device);

}  // namespace leco
