#include "train/pack_worker.h"

#include <algorithm>

#include "diffusion/normal_tensor.h"
#include "lora/dropout_masks.h"
#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kOffsetStrength = 1;  // sub of the noise offset's draws

// The frozen prompts of one pair, each once, and where n, p and u are among them.
struct FrozenPrompts {
  std::vector<std::string> distinct;
  size_t neutral = 0, positive = 0, unconditional = 0;
  bool has_direction = false;  // g·(p − u) is not zero by construction

  explicit FrozenPrompts(const PromptPair& pair) {
    has_direction = pair.guidance_scale != 0.0 && pair.positive != pair.unconditional;
    neutral = add(pair.neutral);
    if (!has_direction) return;
    positive = add(pair.positive);
    unconditional = add(pair.unconditional);
  }

 private:
  size_t add(const std::string& prompt) {
    const auto found = std::ranges::find(distinct, prompt);
    if (found != distinct.end()) return found - distinct.begin();
    distinct.push_back(prompt);
    return distinct.size() - 1;
  }
};

std::vector<int64_t> latent_shape(const WorkItem& item, int64_t samples) {
  return {samples, 4, item.resolution.height / 8, item.resolution.width / 8};
}

// As SDXL reads them: original height, width, crop top, left, target height, width.
Tensor size_ids(const WorkItem& item) {
  const auto& [original, top, left] = item.crop;
  return at::tensor(
      {original.height, original.width, top, left, item.resolution.height, item.resolution.width},
      torch::kInt64);
}

}  // namespace

PackWorker::PackWorker(Given given)
    : given_(given),
      sampler_({.kind = given.settings.rollout_sampler,
                .steps = given.settings.max_denoising_steps,
                .prediction = given.prediction},
               NoiseSchedule(given.settings.zero_terminal_snr)),
      difference_loss_(given.settings),
      loss_weight_(given.settings, given.prediction),
      device_(given.unet.placement().device) {}

void PackWorker::settle_layouts(const Pack& pack) const {
  if (!device_.is_cpu()) return;
  Pack both = pack;  // as many rows as a rollout with guidance has
  both.insert(both.end(), pack.begin(), pack.end());
  predict_without(both,
                  at::zeros(latent_shape(pack.front(), std::ssize(both) * pair(pack.front()).batch_size)));
}

Tensor PackWorker::embed(const Questions& questions) const {
  std::vector<Tensor> rows;
  for (const auto& [item, prompt] : questions) rows.push_back(given_.embeddings.at(prompt).context);
  return at::stack(rows);
}

std::optional<AddedConditioning> PackWorker::added(const Questions& questions) const {
  if (!given_.unet.config().added_embedding) return std::nullopt;
  std::vector<Tensor> pooled, sizes;
  for (const auto& [item, prompt] : questions) {
    pooled.push_back(given_.embeddings.at(prompt).pooled);
    sizes.push_back(size_ids(*item));
  }
  return AddedConditioning{at::stack(pooled), at::stack(sizes)};
}

double PackWorker::noise_offset(const WorkItem& item) const {
  const TrainSettings& settings = given_.settings;
  if (!settings.noise_offset_random_strength) return settings.noise_offset;
  double strength = 0;
  Draws(*settings.seed,
        {.purpose = Purpose::kNoiseOffset, .step = item.step, .item = item.index, .sub = kOffsetStrength})
      .fill_uniform({&strength, 1});
  return strength * settings.noise_offset;
}

// Noise, and with a noise offset one shift a sample and channel: x += offset·n.
Tensor PackWorker::initial_latents(const Pack& pack) const {
  std::vector<Tensor> items;
  for (const WorkItem& item : pack) {
    const int64_t samples = pair(item).batch_size;
    Tensor x = normal_tensor(latent_shape(item, samples), *given_.settings.seed,
                             {.purpose = Purpose::kInitialLatents, .step = item.step, .item = item.index});
    if (given_.settings.noise_offset != 0)
      x.add_(normal_tensor({samples, 4, 1, 1}, *given_.settings.seed,
                           {.purpose = Purpose::kNoiseOffset, .step = item.step, .item = item.index}),
             noise_offset(item));
    items.push_back(x);
  }
  return to_device(at::cat(items), device_);
}

// All of a rollout's noise at once, (longest k, R, 4, h, w): one transfer, so that the rollout itself stays
// on the device. Undefined where the sampler adds none.
Tensor PackWorker::sampler_noise(const Pack& pack) const {
  if (!draws_noise(given_.settings.rollout_sampler)) return {};
  const auto of_item = latent_shape(pack.front(), pair(pack.front()).batch_size);
  auto shape = of_item;
  shape.insert(shape.begin(), {pack.front().k, std::ssize(pack)});
  Tensor noise = at::zeros(shape, torch::kFloat32);
  for (int64_t row = 0; row < std::ssize(pack); ++row) {
    const WorkItem& item = pack[row];
    for (int64_t i = 0; i < item.k; ++i)
      noise[i][row].copy_(normal_tensor(
          of_item, *given_.settings.seed,
          {.purpose = Purpose::kSamplerNoise, .step = item.step, .item = item.index, .sub = i}));
  }
  return to_device(noise.flatten(1, 2), device_);
}

std::vector<Tensor> PackWorker::roll_out(const Pack& pack) const {
  const double guidance = given_.settings.leco_denoise_guidance_scale;
  const bool guided = distinct_prompts(pair(pack.front()), guidance).rollout == 2;
  RolloutBatch batch{.latents = initial_latents(pack),
                     .noise = sampler_noise(pack),
                     .samples = pair(pack.front()).batch_size};
  Questions prompts, negatives;
  for (const WorkItem& item : pack) {
    auto& stops = batch.stops.emplace_back();
    for (int64_t point = 0; point < item.points; ++point) stops.push_back(length_to(item, point));
    batch.multipliers.push_back(pair(item).multiplier);
    prompts.push_back({&item, pair(item).target});
    negatives.push_back({&item, pair(item).unconditional});
  }
  batch.prompts = embed(prompts);
  if (guided) {
    batch.negatives = embed(negatives);
    prompts.insert(prompts.begin(), negatives.begin(), negatives.end());
  }
  batch.added = added(prompts);
  return leco::roll_out(given_.unet, sampler_, batch, guidance);
}

// The timestep of each question's item: one row for all where neither it nor anything else differs, else a
// row for each sample.
TimeFeatures PackWorker::time_of(const Questions& questions) const {
  const int64_t samples = pair(*questions.front().item).batch_size;
  const auto embed_time = [&](const std::vector<int64_t>& timesteps, const AddedConditioning* added) {
    return given_.unet.embed_time(at::tensor(timesteps, torch::kInt64), added);
  };
  std::vector<int64_t> timesteps;
  for (const Question& question : questions)
    timesteps.insert(timesteps.end(), samples, question.item->timestep);
  const bool all_equal = std::ranges::count(timesteps, timesteps[0]) == std::ssize(timesteps);
  if (all_equal) timesteps.resize(1);

  const auto conditioning = added(questions);
  if (!conditioning) return embed_time(timesteps, nullptr);
  if (all_equal) return repeat_rows(embed_time(timesteps, &*conditioning), samples);
  std::vector<TimeFeatures> rows;
  for (const Question& question : questions) {
    const auto of_question = added({question});
    rows.push_back(embed_time({question.item->timestep}, &*of_question));
  }
  return repeat_rows(join_rows(rows), samples);
}

Tensor PackWorker::goal(const Pack& pack, const Tensor& x) const {
  const torch::NoGradGuard no_gradient;
  const int64_t samples = pair(pack.front()).batch_size;
  std::vector<FrozenPrompts> frozen;
  Questions questions;
  std::vector<Tensor> latents;
  for (size_t i = 0; i < pack.size(); ++i) {
    const auto& distinct = frozen.emplace_back(pair(pack[i])).distinct;
    for (const std::string& prompt : distinct) questions.push_back({&pack[i], prompt});
    latents.insert(latents.end(), distinct.size(), x.narrow(0, static_cast<int64_t>(i) * samples, samples));
  }
  const auto text = repeat_rows(given_.unet.project_text(embed(questions), adapters_off()), samples);
  const Tensor predicted = given_.unet(at::cat(latents), time_of(questions), text, adapters_off());

  std::vector<Tensor> goals;
  const auto of_prompts = predicted.split(samples);  // (B, 4, h, w) for each prompt
  size_t first = 0;
  for (size_t i = 0; i < pack.size(); ++i) {
    const FrozenPrompts& at = frozen[i];
    Tensor y = of_prompts[first + at.neutral];
    if (at.has_direction) {
      const double g = pair(pack[i]).action == Action::kErase ? -pair(pack[i]).guidance_scale
                                                              : pair(pack[i]).guidance_scale;
      y = y + g * (of_prompts[first + at.positive] - of_prompts[first + at.unconditional]);
    }
    goals.push_back(y);
    first += at.distinct.size();
  }
  return at::cat(goals);
}

Tensor PackWorker::predict(const Pack& pack, const Tensor& x) const {
  const int64_t samples = pair(pack.front()).batch_size;
  Questions targets;
  std::vector<double> multipliers;
  std::vector<int64_t> items;
  for (const WorkItem& item : pack) {
    targets.push_back({&item, pair(item).target});
    multipliers.push_back(pair(item).multiplier);
    items.push_back(item.index);
  }
  const auto dropout = std::make_shared<const DropoutMasks>(
      DropoutMasks::Draw{.seed = *given_.settings.seed,
                         .step = pack.front().step,
                         .items = items,
                         .samples = samples,
                         .point = pack.front().point,
                         .neuron = given_.settings.network_dropout,
                         .rank = given_.settings.network_args.rank_dropout,
                         .module = given_.settings.network_args.module_dropout},
      device_);
  AdapterPass pass = adapters_on(multipliers, device_);
  pass.dropout = dropout;
  // Samples share what becomes of their prompt, unless dropout gives each its own masks on the text as well.
  const auto text = dropout->drops()
                        ? given_.unet.project_text(embed(targets).repeat_interleave(samples, 0), pass)
                        : repeat_rows(given_.unet.project_text(embed(targets), pass), samples);
  return given_.unet(x, time_of(targets), text, pass);
}

Tensor PackWorker::predict_without(const Pack& pack, const Tensor& x) const {
  const torch::NoGradGuard no_gradient;
  Questions targets;
  for (const WorkItem& item : pack) targets.push_back({&item, pair(item).target});
  const auto text =
      repeat_rows(given_.unet.project_text(embed(targets), adapters_off()), pair(pack.front()).batch_size);
  return given_.unet(x, time_of(targets), text, adapters_off());
}

Tensor PackWorker::losses(const Pack& pack, const Tensor& e, const Tensor& y) const {
  std::vector<float> weights;  // of items: their samples share a timestep
  std::vector<int64_t> timesteps;
  for (const WorkItem& item : pack) {
    weights.push_back(static_cast<float>(pair(item).weight * loss_weight_.at(item.timestep) /
                                         static_cast<double>(item.points)));
    timesteps.insert(timesteps.end(), pair(item).batch_size, item.timestep);
  }
  const Tensor of_samples = difference_loss_(e - y, timesteps).mean({1, 2, 3});  // (R)
  return of_samples.view({std::ssize(pack), -1}).mean(1) * to_device(at::tensor(weights), device_);
}

}  // namespace leco
