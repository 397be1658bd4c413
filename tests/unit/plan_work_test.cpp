#include "plan/work.h"

#include <gtest/gtest.h>

#include "plan/memory.h"

namespace leco {
namespace {

PromptPair pair_of(int64_t size, int64_t batch = 1) {
  return {.target = "a",
          .positive = "b",
          .unconditional = "c",
          .neutral = "d",
          .resolution = {size, size},
          .batch_size = batch};
}

TEST(ItemPasses, CountEachDistinctPromptOnce) {
  PromptPair pair = pair_of(512, 2);
  const WorkItem item{.k = 5, .resolution = pair.resolution};
  const auto counts = [&](double guidance) {
    const Passes passes = item_passes(item, pair, guidance);
    return std::vector<int64_t>{passes.rollout, passes.frozen, passes.train, passes.total()};
  };
  EXPECT_EQ(counts(3.0), (std::vector<int64_t>{20, 6, 6, 32}));
  EXPECT_EQ(counts(1.0), (std::vector<int64_t>{10, 6, 6, 22}));
  pair.neutral = pair.unconditional;
  EXPECT_EQ(counts(3.0), (std::vector<int64_t>{20, 4, 6, 30}));
  pair.positive = pair.unconditional;  // no direction: the neutral prompt alone
  EXPECT_EQ(counts(3.0), (std::vector<int64_t>{20, 2, 6, 28}));
}

TEST(ItemPasses, CountFrozenAndTrainedOnesAtEachPointOfTheRollout) {
  const PromptPair pair = pair_of(512, 2);
  const WorkItem item{.k = 5, .points = 3, .resolution = pair.resolution};
  const Passes passes = item_passes(item, pair, 3.0);
  EXPECT_EQ(passes.rollout, 20);
  EXPECT_EQ(passes.frozen, 3 * 6);
  EXPECT_EQ(passes.train, 3 * 6);
}

TEST(ItemCost, IsThePassesAtTheItemsSize) {
  const PromptPair pair = pair_of(256);
  const WorkItem item{.k = 5, .resolution = pair.resolution};
  EXPECT_EQ(item_cost(item, pair, 3.0), 16 * forward_cost({256, 256}));
}

TEST(EstimateWork, IsExactWhereNothingIsDrawn) {
  PlanSettings settings{.draws = {.seed = 7, .items = 3, .denoising_steps = 2}};  // k is 1
  const WorkEstimate work = estimate_work(settings, {pair_of(512)}, 10, 2);
  EXPECT_EQ(work.steps, 10);
  EXPECT_EQ(work.rollout_length, 1);
  EXPECT_EQ(work.passes.rollout, 6);
  EXPECT_EQ(work.passes.frozen, 9);
  EXPECT_EQ(work.passes.train, 9);
  EXPECT_DOUBLE_EQ(work.cost.total(), 24);  // the unit is a pass at this very size
  EXPECT_DOUBLE_EQ(work.efficiency, 0.75);  // two items and one
}

TEST(EstimateWork, CountsFewerStepsOfAVeryLargePlan) {
  PlanSettings settings{.draws = {.items = 2000, .denoising_steps = 40}};
  const WorkEstimate work = estimate_work(settings, {pair_of(512)}, 1'000'000, 1000);
  EXPECT_GE(work.steps, 1);
  EXPECT_LT(work.steps, 10);
}

const UNetSizes kSd15 = {
    .parameters = 859'520'964, .channels = {320, 640, 1280, 1280}, .transformer_depth = {1, 1, 1, 0}};
const UNetSizes kToy = {
    .parameters = 2'000'000, .channels = {32, 64, 64, 64}, .transformer_depth = {1, 1, 1, 0}};

// VmHWM in MiB of two steps of `leco train` in fp32 on one thread, K = 2, --network_dim=4, on the project's
// machine; sd15: tests/bench/reference_step.py --model sd15 --save.
struct Measured {
  const UNetSizes& unet;
  int64_t size, batch, peak;
};

TEST(EstimateMemory, LiesWithinAQuarterOfMeasuredPeaks) {
  const PlanSettings settings{.draws = {.items = 1, .denoising_steps = 2}};
  const std::vector<Measured> peaks = {{kSd15, 64, 1, 4048},  {kSd15, 128, 1, 4277}, {kSd15, 256, 1, 4832},
                                       {kSd15, 256, 2, 5309}, {kToy, 64, 1, 529},    {kToy, 256, 1, 570},
                                       {kToy, 256, 8, 893},   {kToy, 512, 1, 711},   {kToy, 512, 4, 1280},
                                       {kToy, 768, 1, 947}};
  for (const Measured& measured : peaks) {
    const ModelSizes model{.unet = measured.unet,
                           .text_parameters = measured.unet.parameters / 20,
                           .lora_parameters = measured.unet.parameters / 1000,
                           .optimizer_bytes = 8 * (measured.unet.parameters / 1000)};
    const MemoryEstimate estimate =
        estimate_memory(model, settings, {pair_of(measured.size, measured.batch)}, 1);
    const double ratio = static_cast<double>(estimate.total()) / static_cast<double>(measured.peak << 20);
    RecordProperty("ratio", std::to_string(ratio));
    EXPECT_GT(ratio, 0.8) << measured.size << " pixels, batch " << measured.batch;
    EXPECT_LT(ratio, 1.25) << measured.size << " pixels, batch " << measured.batch;
  }
}

TEST(EstimateMemory, TakesTheLargestPairAndTheTextEncoderWhereItIsLarger) {
  const PlanSettings settings{.draws = {.items = 4, .denoising_steps = 2}};
  const auto bytes = [&](const std::vector<PromptPair>& pairs, int64_t text) {
    return estimate_memory({.unet = kToy, .text_parameters = text, .lora_parameters = 100}, settings, pairs,
                           2);
  };
  EXPECT_EQ(bytes({pair_of(64), pair_of(512)}, 0).activations, bytes({pair_of(512)}, 0).activations);
  EXPECT_EQ(bytes({pair_of(64)}, 1'000'000'000).weights, 4'000'000'000);
  EXPECT_EQ(bytes({pair_of(64)}, 0).lora, 100 * (8 + 4 + 24));  // two packs a rank, one of them kept
}

TEST(GraphNumbers, GrowWithTheAreaOfThePicture) {
  EXPECT_EQ(graph_numbers(kSd15, {512, 512}), 4 * graph_numbers(kSd15, {256, 256}));
  EXPECT_EQ(graph_numbers(kSd15, {512, 256}), 2 * graph_numbers(kSd15, {256, 256}));
}

TEST(GraphNumbers, AreAFractionWhereBlocksAreComputedAgain) {
  const int64_t whole = graph_numbers(kSd15, {512, 512}), again = recomputed_graph_numbers(kSd15, {512, 512});
  EXPECT_LT(again, whole / 2);
  EXPECT_EQ(recomputed_graph_numbers(kSd15, {512, 512}), 4 * recomputed_graph_numbers(kSd15, {256, 256}));
  const PlanSettings settings{.draws = {.items = 1, .denoising_steps = 2}};
  const auto bytes = [&](int64_t number_bytes, bool recomputes) {
    return estimate_memory({.unet = kSd15, .number_bytes = number_bytes, .recomputes_blocks = recomputes},
                           settings, {pair_of(512)}, 1);
  };
  EXPECT_EQ(bytes(2, false).weights, bytes(4, false).weights / 2);
  EXPECT_LT(bytes(4, true).activations, bytes(4, false).activations);
  EXPECT_LT(bytes(2, false).activations, bytes(4, false).activations);
}

// The activations that convolutions read: what a LoRA on them keeps, and one on transformers alone does not.
TEST(GraphNumbers, CountTheInputsOfAdaptedConvolutions) {
  UNetSizes one{.channels = {8}, .transformer_depth = {0}, .middle_depth = 0};
  const int64_t frozen = graph_numbers(one, {64, 64});
  one.adapts_convolutions = true;
  // 2 resnets down and 2 in the middle of 8 + 8 channels, 3 up of 16 + 8; 8 × 8 pixels
  EXPECT_EQ(graph_numbers(one, {64, 64}) - frozen, (4 * 16 + 3 * 24) * 64);
}

// SDXL's middle has ten blocks; each keeps 31 numbers a channel and token.
TEST(GraphNumbers, CountEveryBlockOfTheMiddle) {
  UNetSizes deep = kSd15;
  deep.middle_depth = 10;
  EXPECT_EQ(graph_numbers(deep, {512, 512}) - graph_numbers(kSd15, {512, 512}), 9 * 31 * 1280 * 8 * 8);
}

}  // namespace
}  // namespace leco
