// The U-Net's predictions for several prompts at one point of the denoising.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "config/prompt_pair.h"
#include "model/unet.h"
#include "text/prompt_embeddings.h"

namespace leco {

// The prompts' text is projected once, for one strength of the LoRA; then any number of points is asked for.
// The batches depend on the number of prompts alone, so that a LoRA whose weights are 0 gives the very bits
// of the base model.
class PromptPredictions {
 public:
  struct Model {
    const UNet& unet;
    const PromptEmbeddings& embeddings;
  };
  // `size` is what SDXL is told of the picture: uncropped.
  PromptPredictions(const Model& model, const std::vector<std::string>& prompts, Resolution size,
                    const AdapterPass& pass);

  // x (1, 4, h, w) on the device → (P, 4, h, w), in the order of the prompts. No gradient is kept.
  torch::Tensor operator()(const torch::Tensor& x, int64_t timestep) const;

 private:
  static constexpr int64_t kRowsAtOnce = 8;  // bounds the memory; fixed, since it may show in the last bits
  struct Batch {
    int64_t rows;
    TextFeatures text;
    std::optional<AddedConditioning> added;  // SDXL
  };
  const UNet& unet_;
  AdapterPass pass_;
  std::vector<Batch> batches_;
};

// SDXL's conditioning on pictures of a size, for the prompts in their order; none for other families.
std::optional<AddedConditioning> uncropped(const PromptPredictions::Model& model,
                                           const std::vector<std::string>& prompts, Resolution size);

}  // namespace leco
