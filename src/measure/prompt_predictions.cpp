#include "measure/prompt_predictions.h"

#include <algorithm>

#include "model/to_device.h"

namespace leco {

using torch::Tensor;

std::optional<AddedConditioning> uncropped(const PromptPredictions::Model& model,
                                           const std::vector<std::string>& prompts, Resolution size) {
  if (!model.unet.config().added_embedding) return std::nullopt;
  std::vector<Tensor> pooled;
  for (const std::string& prompt : prompts) pooled.push_back(model.embeddings.at(prompt).pooled);
  const Tensor sizes =
      at::tensor({size.height, size.width, int64_t{0}, int64_t{0}, size.height, size.width}, torch::kInt64);
  return AddedConditioning{at::stack(pooled), sizes.repeat({std::ssize(prompts), 1})};
}

PromptPredictions::PromptPredictions(const Model& model, const std::vector<std::string>& prompts,
                                     Resolution size, const AdapterPass& pass)
    : unet_(model.unet), pass_(pass) {
  const torch::NoGradGuard no_gradient;
  for (size_t first = 0; first < prompts.size(); first += kRowsAtOnce) {
    const size_t end = std::min(prompts.size(), first + kRowsAtOnce);
    const std::vector<std::string> part(prompts.begin() + static_cast<int64_t>(first),
                                        prompts.begin() + static_cast<int64_t>(end));
    std::vector<Tensor> contexts;
    for (const std::string& prompt : part) contexts.push_back(model.embeddings.at(prompt).context);
    batches_.push_back({.rows = std::ssize(part),
                        .text = unet_.project_text(at::stack(contexts), pass_),
                        .added = uncropped(model, part, size)});
  }
}

Tensor PromptPredictions::operator()(const Tensor& x, int64_t timestep) const {
  const torch::NoGradGuard no_gradient;
  const Tensor t = at::tensor({timestep}, torch::kInt64);
  std::vector<Tensor> predicted;
  for (const Batch& batch : batches_) {
    const TimeFeatures time = unet_.embed_time(t, batch.added ? &*batch.added : nullptr);
    predicted.push_back(unet_(x.repeat({batch.rows, 1, 1, 1}), time, batch.text, pass_));
  }
  return at::cat(predicted);
}

}  // namespace leco
