#include "diffusion/rollout.h"

#include <algorithm>

namespace leco {
namespace {

using torch::Tensor;

// What does not change while the same number of items is rolling.
struct Rolling {
  int64_t items;
  AdapterPass pass;
  TextFeatures text;  // of [negatives, prompts], or of the prompts alone
};

Rolling start_rolling(const UNet& unet, const RolloutBatch& batch, int64_t items) {
  std::vector<double> multipliers(batch.multipliers.begin(), batch.multipliers.begin() + items);
  Tensor text = batch.prompts.narrow(0, 0, items);
  if (batch.negatives.defined()) {
    text = at::cat({batch.negatives.narrow(0, 0, items), text});
    multipliers.insert(multipliers.end(), batch.multipliers.begin(), batch.multipliers.begin() + items);
  }
  const AdapterPass pass = adapters_on(multipliers, unet.placement().device);
  return {items, pass, repeat_rows(unet.project_text(text, pass), batch.samples)};
}

// The time features of every step, computed before the first.
class StepTimes {
 public:
  StepTimes(const UNet& unet, const DdpmSampler& sampler, const RolloutBatch& batch)
      : halves_(batch.negatives.defined() ? 2 : 1), samples_(batch.samples), added_(batch.added.has_value()) {
    std::vector<int64_t> timesteps;
    for (int64_t i = 0; i < batch.lengths.front(); ++i) timesteps.push_back(sampler.timestep(i));
    features_ = unet.embed_time(at::tensor(timesteps, torch::kInt64), added_ ? &*batch.added : nullptr);
    if (!added_) return;
    for (Tensor& rows : features_) {  // (steps·halves·G, channels), to those of each sample, by step and half
      rows = rows.repeat_interleave(samples_, 0);
      rows = rows.view({std::ssize(timesteps), halves_, -1, rows.size(1)});
    }
  }

  // Of step i while the first `items` items are rolling: one row for all samples, or with added conditioning
  // one for each.
  TimeFeatures of_step(int64_t i, int64_t items) const {
    if (!added_) return time_row(features_, i);
    TimeFeatures step;
    for (const Tensor& rows : features_) step.push_back(rows[i].narrow(1, 0, items * samples_).flatten(0, 1));
    return step;
  }

 private:
  int64_t halves_, samples_;
  bool added_;
  TimeFeatures features_;
};

Tensor guide(const Tensor& halves, double guidance) {
  const auto parts = halves.chunk(2);
  return parts[1].sub(parts[0]).mul_(guidance).add_(parts[0]);
}

}  // namespace

Tensor roll_out(const UNet& unet, const DdpmSampler& sampler, const RolloutBatch& batch, double guidance) {
  const torch::NoGradGuard no_gradient;
  const bool guided = batch.negatives.defined();
  const StepTimes times(unet, sampler, batch);
  Tensor x = batch.latents.clone();
  Rolling rolling = start_rolling(unet, batch, static_cast<int64_t>(batch.lengths.size()));
  for (int64_t i = 0; i < batch.lengths.front(); ++i) {
    const int64_t items = std::ranges::count_if(batch.lengths, [i](int64_t k) { return k > i; });
    if (items != rolling.items) rolling = start_rolling(unet, batch, items);
    Tensor still = x.narrow(0, 0, items * batch.samples);
    const Tensor noise = batch.noise[i].narrow(0, 0, items * batch.samples);
    const Tensor predicted = unet(guided ? still.repeat({2, 1, 1, 1}) : still, times.of_step(i, items),
                                  rolling.text, rolling.pass);
    still.copy_(sampler.advance(i, still, guided ? guide(predicted, guidance) : predicted, noise));
  }
  return x;
}

}  // namespace leco
