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

Tensor guide(const Tensor& halves, double guidance) {
  const auto parts = halves.chunk(2);
  return parts[1].sub(parts[0]).mul_(guidance).add_(parts[0]);
}

}  // namespace

Tensor roll_out(const UNet& unet, const DdpmSampler& sampler, const RolloutBatch& batch, double guidance) {
  const torch::NoGradGuard no_gradient;
  const bool guided = batch.negatives.defined();
  std::vector<int64_t> timesteps;
  for (int64_t i = 0; i < batch.lengths.front(); ++i) timesteps.push_back(sampler.timestep(i));
  const TimeFeatures time = unet.embed_time(at::tensor(timesteps, torch::kInt64));

  Tensor x = batch.latents.clone();
  Rolling rolling = start_rolling(unet, batch, static_cast<int64_t>(batch.lengths.size()));
  for (int64_t i = 0; i < batch.lengths.front(); ++i) {
    const int64_t items = std::ranges::count_if(batch.lengths, [i](int64_t k) { return k > i; });
    if (items != rolling.items) rolling = start_rolling(unet, batch, items);
    Tensor still = x.narrow(0, 0, items * batch.samples);
    const Tensor noise = batch.noise[i].narrow(0, 0, items * batch.samples);
    const Tensor predicted =
        unet(guided ? still.repeat({2, 1, 1, 1}) : still, time_row(time, i), rolling.text, rolling.pass);
    still.copy_(sampler.advance(i, still, guided ? guide(predicted, guidance) : predicted, noise));
  }
  return x;
}

}  // namespace leco
