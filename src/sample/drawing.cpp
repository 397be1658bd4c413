#include "sample/drawing.h"

#include <algorithm>

#include "core/error.h"
#include "diffusion/normal_tensor.h"
#include "diffusion/rollout.h"
#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kPixelsPerLatent = 8;

Tensor normals(const DrawingRow& row, Draws::Use use) {
  return normal_tensor({1, 4, row.height / kPixelsPerLatent, row.width / kPixelsPerLatent}, row.seed, use);
}

// (steps, columns, 4, h, w), the columns being one and the same memory.
Tensor sampler_noise(const DrawingRow& row, torch::Device device) {
  std::vector<Tensor> steps;
  for (int64_t i = 0; i < row.steps; ++i)
    steps.push_back(normals(row, {.purpose = Purpose::kSamplerNoise, .item = row.item, .sub = i}));
  return to_device(at::stack(steps), device).expand({-1, std::ssize(row.scales), -1, -1, -1});
}

// What SDXL is told: a whole picture of this size.
AddedConditioning added_conditioning(const DrawingModel& model, const DrawingRow& row) {
  std::vector<Tensor> pooled;
  if (row.is_guided()) pooled.assign(row.scales.size(), model.embeddings.at(row.negative).pooled);
  pooled.insert(pooled.end(), row.scales.size(), model.embeddings.at(row.prompt).pooled);
  const Tensor sizes = at::tensor({row.height, row.width, int64_t{0}, int64_t{0}, row.height, row.width});
  return {at::stack(pooled), sizes.repeat({std::ssize(pooled), 1})};
}

}  // namespace

std::vector<std::string> prompts_of(const std::vector<DrawingRow>& rows) {
  std::vector<std::string> prompts;
  const auto add = [&prompts](const std::string& prompt) {
    if (std::ranges::find(prompts, prompt) == prompts.end()) prompts.push_back(prompt);
  };
  for (const DrawingRow& row : rows) {
    add(row.prompt);
    if (row.is_guided()) add(row.negative);
  }
  return prompts;
}

Tensor draw_latents(const DrawingModel& model, const DrawingRow& row,
                    const std::function<void()>& before_step) {
  LECO_ASSERT(!row.scales.empty());
  const torch::Device device = model.unet.placement().device;
  const int64_t columns = std::ssize(row.scales);
  const auto of_columns = [&](const std::string& prompt) {
    return model.embeddings.at(prompt).context.unsqueeze(0).expand({columns, -1, -1});
  };
  const Tensor start = normals(row, {.purpose = Purpose::kPictureLatents, .item = row.item});
  RolloutBatch batch{.latents = to_device(start, device).repeat({columns, 1, 1, 1}),
                     .stops = std::vector<std::vector<int64_t>>(columns, {row.steps}),
                     .prompts = of_columns(row.prompt),
                     .multipliers = row.scales,
                     .lora_from = row.start_noise,
                     .before_step = before_step};
  if (draws_noise(row.sampler)) batch.noise = sampler_noise(row, device);
  if (row.is_guided()) batch.negatives = of_columns(row.negative);
  if (model.unet.config().added_embedding) batch.added = added_conditioning(model, row);
  const Sampler sampler(
      {.kind = row.sampler, .steps = row.steps, .prediction = model.prediction, .offset = kSamplingOffset},
      NoiseSchedule(model.zero_terminal_snr));
  return roll_out(model.unet, sampler, batch, row.guidance).front();
}

int64_t usual_side(Family family, Prediction prediction) {
  if (family == Family::kSdxl) return 1024;
  return family == Family::kSd2 && prediction == Prediction::kV ? 768 : 512;
}

}  // namespace leco
