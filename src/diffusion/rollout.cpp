#include "diffusion/rollout.h"

#include <algorithm>
#include <utility>

namespace leco {
namespace {

using torch::Tensor;

// What does not change while the same number of items is rolling.
struct Rolling {
  int64_t items;
  AdapterPass pass;
  TextFeatures text;  // of [negatives, prompts], or of the prompts alone
};

Rolling start_rolling(const UNet& unet, const RolloutBatch& batch, int64_t items, bool lora_on) {
  std::vector<double> multipliers(batch.multipliers.begin(), batch.multipliers.begin() + items);
  Tensor text = batch.prompts.narrow(0, 0, items);
  if (batch.negatives.defined()) {
    text = at::cat({batch.negatives.narrow(0, 0, items), text});
    multipliers.insert(multipliers.end(), batch.multipliers.begin(), batch.multipliers.begin() + items);
  }
  const AdapterPass pass = lora_on ? adapters_on(multipliers, unet.placement().device) : adapters_off();
  return {items, pass, repeat_rows(unet.project_text(text, pass), batch.samples)};
}

// The time features of every step, computed before the first.
class StepTimes {
 public:
  StepTimes(const UNet& unet, const Sampler& sampler, const RolloutBatch& batch)
      : halves_(batch.negatives.defined() ? 2 : 1), samples_(batch.samples), added_(batch.added.has_value()) {
    std::vector<int64_t> timesteps;
    for (int64_t i = 0; i < batch.stops.front().back(); ++i) timesteps.push_back(sampler.timestep(i));
    features_ = unet.embed_time(at::tensor(timesteps, torch::kInt64), added_ ? &*batch.added : nullptr);
    if (!added_) return;
    // (steps·halves·G, channels), to those of each sample, by step and half
    features_ = map_rows(features_, [&](const Tensor& rows) {
      return rows.repeat_interleave(samples_, 0).view({std::ssize(timesteps), halves_, -1, rows.size(1)});
    });
  }

  // Of step i while the first `items` items are rolling: one row for all samples, or with added conditioning
  // one for each.
  TimeFeatures of_step(int64_t i, int64_t items) const {
    if (!added_) return time_row(features_, i);
    return map_rows(features_,
                    [&](const Tensor& rows) { return rows[i].narrow(1, 0, items * samples_).flatten(0, 1); });
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

// The latents of every stop, copied while the rollout passes it.
class Stops {
 public:
  explicit Stops(const RolloutBatch& batch) : batch_(batch) {
    for (size_t stop = 0; stop < batch.stops.front().size(); ++stop) {
      const auto has_it = [stop](const std::vector<int64_t>& stops) { return stops.size() > stop; };
      const int64_t items = std::ranges::count_if(batch.stops, has_it);
      latents_.push_back(at::empty_like(batch.latents.narrow(0, 0, items * batch.samples)));
    }
  }

  void pass(int64_t steps, const Tensor& x) {
    for (int64_t item = 0; item * batch_.samples < x.size(0); ++item) {
      const auto& stops = batch_.stops[item];
      const auto stop = std::ranges::find(stops, steps) - stops.begin();
      if (stop == std::ssize(stops)) continue;
      const auto rows = [&](const Tensor& of) { return of.narrow(0, item * batch_.samples, batch_.samples); };
      rows(latents_[stop]).copy_(rows(x));
    }
  }

  std::vector<Tensor> take() { return std::move(latents_); }

 private:
  const RolloutBatch& batch_;
  std::vector<Tensor> latents_;
};

}  // namespace

std::vector<Tensor> roll_out(const UNet& unet, const Sampler& sampler, const RolloutBatch& batch,
                             double guidance) {
  const torch::NoGradGuard no_gradient;
  const bool guided = batch.negatives.defined();
  const StepTimes times(unet, sampler, batch);
  Stops stops(batch);
  SamplerMemory memory;
  std::optional<Rolling> rolling;
  Tensor x = batch.latents;
  for (int64_t i = 0; i < batch.stops.front().back(); ++i) {
    if (batch.before_step) batch.before_step();
    const int64_t items =
        std::ranges::count_if(batch.stops, [i](const auto& stops) { return stops.back() > i; });
    const bool lora_on = sampler.timestep(i) <= batch.lora_from;
    if (!rolling || items != rolling->items || lora_on != rolling->pass.on)
      rolling = start_rolling(unet, batch, items, lora_on);
    x = x.narrow(0, 0, items * batch.samples);
    memory.keep_rows(items * batch.samples);
    const Tensor noise =
        sampler.draws_noise(i) ? batch.noise[i].narrow(0, 0, items * batch.samples) : Tensor();
    const Tensor predicted =
        unet(guided ? x.repeat({2, 1, 1, 1}) : x, times.of_step(i, items), rolling->text, rolling->pass);
    x = sampler.advance(i, x, guided ? guide(predicted, guidance) : predicted, noise, memory);
    stops.pass(i + 1, x);
  }
  return stops.take();
}

}  // namespace leco
