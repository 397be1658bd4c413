// Every sampler must do what diffusers' scheduler of that name does (samplers.safetensors, made by
// make_sampling_golden.py): on made-up predictions, and with the toy's U-Net and guidance.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/philox.h"
#include "diffusion/rollout.h"
#include "tests/support/golden.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr uint64_t kSeed = 1234;
constexpr int64_t kSteps = 20, kPart = 5;
const std::vector<int64_t> kStops = {7, 20};
const std::vector<SamplerKind> kKinds = {SamplerKind::kDdim, SamplerKind::kDdpm, SamplerKind::kEuler,
                                         SamplerKind::kEulerA, SamplerKind::kDpmpp2m};

Tensor normals(const std::vector<int64_t>& shape, Draws::Use use) {
  Tensor values = at::empty(shape, torch::kFloat32);
  Draws(kSeed, use).fill_normal({values.data_ptr<float>(), static_cast<size_t>(values.numel())});
  return values;
}

// (kSteps, …)
Tensor noise_of_steps(const std::vector<int64_t>& shape, Purpose purpose) {
  std::vector<Tensor> steps;
  for (int64_t i = 0; i < kSteps; ++i) steps.push_back(normals(shape, {.purpose = purpose, .sub = i}));
  return at::stack(steps);
}

TEST(Sampler, steps_as_diffusers_scheduler_with_both_predictions_and_offsets) {
  const Golden golden("samplers.safetensors");
  const std::vector<int64_t> shape = {2, 4, 3, 3};
  const Tensor predictions = noise_of_steps(shape, Purpose::kNoiseOffset);
  const Tensor noise = noise_of_steps(shape, Purpose::kSamplerNoise);
  for (const SamplerKind kind : kKinds) {
    for (const auto& [prediction, name] :
         {std::pair{Prediction::kEpsilon, "epsilon"}, {Prediction::kV, "v_prediction"}}) {
      for (const int64_t offset : {kRolloutOffset, kSamplingOffset}) {
        const Sampler sampler({.kind = kind, .steps = kSteps, .prediction = prediction, .offset = offset});
        ASSERT_EQ(sampler.steps(), kSteps);
        SamplerMemory memory;
        Tensor x = normals(shape, {.purpose = Purpose::kInitialLatents});
        for (int64_t i = 0; i < kSteps; ++i) {
          x = sampler.advance(i, x, predictions[i], sampler.draws_noise(i) ? noise[i] : Tensor(), memory);
          const std::string key = fmt::format("{}.{}.{}.{}", sampler_name(kind), name, offset, i + 1);
          if (std::ranges::count(kStops, i + 1) == 0) continue;
          EXPECT_TRUE(is_near(key, x, golden[key], 1e-5));
        }
      }
    }
  }
}

RolloutBatch batch_of(const PromptEmbeddings& embeddings, int64_t items) {
  const std::vector<int64_t> shape = {1, 4, 16, 16};
  return {.latents = normals(shape, {.purpose = Purpose::kInitialLatents}).repeat({items, 1, 1, 1}),
          .noise = noise_of_steps(shape, Purpose::kSamplerNoise).expand({kSteps, items, 4, 16, 16}),
          .stops = std::vector<std::vector<int64_t>>(items, kStops),
          .prompts = embeddings.at("a big red circle").context.repeat({items, 1, 1}),
          .negatives = embeddings.at("a small circle").context.repeat({items, 1, 1}),
          .multipliers = std::vector<double>(items, 1.0)};
}

TEST(RollOut, draws_as_diffusers_with_the_toy_and_guidance) {
  const Golden golden("samplers.safetensors");
  const auto unet = load_toy_unet();
  const RolloutBatch batch = batch_of(encode_with_toy({"a big red circle", "a small circle"}), 1);
  for (const SamplerKind kind : kKinds) {
    for (const int64_t offset : {kRolloutOffset, kSamplingOffset}) {
      const auto x = roll_out(*unet, Sampler({.kind = kind, .steps = kSteps, .offset = offset}), batch, 4.0);
      ASSERT_EQ(x.size(), kStops.size());
      for (size_t stop = 0; stop < kStops.size(); ++stop) {
        const std::string key = fmt::format("unet.{}.{}.{}", sampler_name(kind), offset, kStops[stop]);
        EXPECT_TRUE(is_near(key, x[stop].flatten().slice(0, 0, std::nullopt, kPart), golden[key], 1e-5));
      }
    }
  }
}

// What a multistep sampler remembers must stay with the item it belongs to.
TEST(RollOut, of_items_of_different_length_is_that_of_each_alone) {
  const auto unet = load_toy_unet();
  const PromptEmbeddings embeddings = encode_with_toy({"a big red circle", "a small circle"});
  const std::vector<std::vector<int64_t>> stops = {{3, 6, 9}, {2, 3, 5}, {1, 2}};
  for (const SamplerKind kind : {SamplerKind::kDdpm, SamplerKind::kDpmpp2m}) {
    const Sampler sampler({.kind = kind, .steps = kSteps});
    RolloutBatch pack = batch_of(embeddings, 3);
    pack.latents = normals({3, 4, 16, 16}, {.purpose = Purpose::kInitialLatents});
    pack.stops = stops;
    const auto together = roll_out(*unet, sampler, pack, 4.0);
    ASSERT_EQ(together.size(), 3u);
    EXPECT_EQ(together[1].size(0), 3);
    EXPECT_EQ(together[2].size(0), 2) << "the third item has two stops";
    for (int64_t item = 0; item < 3; ++item) {
      RolloutBatch own = batch_of(embeddings, 1);
      own.latents = pack.latents.narrow(0, item, 1);
      own.stops = {stops[item]};
      const auto alone = roll_out(*unet, sampler, own, 4.0);
      ASSERT_EQ(alone.size(), stops[item].size());
      for (size_t stop = 0; stop < alone.size(); ++stop)
        EXPECT_TRUE(is_near(fmt::format("{}, item {}, stop {}", sampler_name(kind), item, stop),
                            together[stop].narrow(0, item, 1), alone[stop], 1e-5));
    }
  }
}

TEST(RollOut, needs_no_noise_where_the_sampler_adds_none) {
  const auto unet = load_toy_unet();
  RolloutBatch batch = batch_of(encode_with_toy({"a big red circle", "a small circle"}), 1);
  batch.noise.reset();
  for (const SamplerKind kind : {SamplerKind::kDdim, SamplerKind::kEuler, SamplerKind::kDpmpp2m}) {
    EXPECT_FALSE(draws_noise(kind));
    EXPECT_EQ(roll_out(*unet, Sampler({.kind = kind, .steps = kSteps}), batch, 4.0).size(), 2u);
  }
}

}  // namespace
}  // namespace leco
