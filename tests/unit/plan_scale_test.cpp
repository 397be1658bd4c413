// A step of 256 and of 1024 ranks in one process: the shares that each would take, the bytes that each would
// send, and the time to plan it. Nothing may grow with the square of the ranks.
#include <gtest/gtest.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <limits>
#include <set>

#include "plan/step_plan.h"
#include "plan/traffic.h"

namespace leco {
namespace {

constexpr int64_t kItemsARank = 4;
constexpr int64_t kLoraWeights = 1'754'112;  // SD 1.5 with network_dim 4

// Sliders of two sizes, one of them drawn, and a batch of two.
std::vector<PromptPair> pairs() {
  std::vector<PromptPair> all(3);
  for (PromptPair& pair : all) pair = {.target = "a", .positive = "b", .unconditional = "c"};
  all[0].dynamic_resolution = true;
  all[1].batch_size = 2;
  all[2].resolution = {512, 768};
  return all;
}

PlanSettings settings(int ranks) {
  return {.draws = {.seed = 11, .items = kItemsARank * ranks, .rollout_length = RolloutLength::kIndependent}};
}

class ManyRanks : public ::testing::TestWithParam<int> {};

TEST_P(ManyRanks, ShareEveryItemOnceAndEvenly) {
  const int ranks = GetParam();
  double efficiency = 0;
  constexpr int64_t kSteps = 5;
  for (int64_t step = 0; step < kSteps; ++step) {
    const StepPlan plan = plan_step(settings(ranks), pairs(), step, ranks);
    ASSERT_EQ(plan.shares.size(), static_cast<size_t>(ranks));
    std::set<int64_t> items;
    for (const auto& share : plan.shares) {
      EXPECT_FALSE(share.empty());
      for (const int64_t pack : share)
        for (const WorkItem& item : plan.packs[pack]) EXPECT_TRUE(items.insert(item.index).second);
    }
    EXPECT_EQ(items.size(), static_cast<size_t>(kItemsARank * ranks));
    efficiency += plan.efficiency() / kSteps;
  }
  std::printf("  %d ranks: efficiency of the shares %.4f\n", ranks, efficiency);
  EXPECT_GE(efficiency, 0.97);
}

TEST_P(ManyRanks, PlanAloneWhatAllPlan) {
  const int ranks = GetParam();
  const StepPlan mine = plan_step(settings(ranks), pairs(), 3, ranks);
  const StepPlan theirs = plan_step(settings(ranks), pairs(), 3, ranks);
  EXPECT_EQ(mine.shares, theirs.shares);
  EXPECT_EQ(mine.costs, theirs.costs);
  EXPECT_EQ(mine.costs, plan_step(settings(ranks), pairs(), 3, 1).costs) << "one rank would do the same";
}

TEST_P(ManyRanks, SendTheSameBytesButForEightAnItem) {
  const int ranks = GetParam();
  const StepTraffic one = step_traffic(kItemsARank, kLoraWeights);
  const StepTraffic many = step_traffic(kItemsARank * ranks, kLoraWeights);
  EXPECT_EQ(many.gradients, one.gradients);
  EXPECT_EQ(many.message - one.message, 8 * kItemsARank * (ranks - 1));
  EXPECT_LT(many.message, many.gradients / 100);
  EXPECT_EQ(step_traffic(64, kLoraWeights).message, step_traffic(64, 1).message)
      << "N decides, not the ranks";
}

// Every rank plans alone, so this time is nobody's share: it must stay small beside a step of a second.
TEST_P(ManyRanks, TakeMillisecondsToPlan) {
  const int ranks = GetParam();
  double fastest = std::numeric_limits<double>::infinity();  // the others may have shared their core
  for (int64_t step = 0; step < 10; ++step) {
    const auto start = std::chrono::steady_clock::now();
    plan_step(settings(ranks), pairs(), step, ranks);
    fastest =
        std::min(fastest, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::printf("  %d ranks, %d items: %.2f ms a plan\n", ranks, static_cast<int>(kItemsARank * ranks),
              1e3 * fastest);
  EXPECT_LT(fastest, 0.2);
}

INSTANTIATE_TEST_SUITE_P(Of, ManyRanks, ::testing::Values(256, 1024), ::testing::PrintToStringParamName());

Cluster of_ranks(int ranks) {
  return {.ranks = ranks,
          .seconds_a_pass = 0.01,
          .bytes_a_second = 20e9,
          .seconds_a_hop = 1e-5,
          .memory_a_second = 1e12};
}

TEST(AllReduceSeconds, GrowWithTheLogarithmOfTheRanks) {
  EXPECT_EQ(all_reduce_seconds(1000, of_ranks(1)), 0);
  EXPECT_DOUBLE_EQ(all_reduce_seconds(0, of_ranks(256)), 16e-5);
  EXPECT_DOUBLE_EQ(all_reduce_seconds(0, of_ranks(1024)), 20e-5);
  EXPECT_DOUBLE_EQ(all_reduce_seconds(20'000'000, of_ranks(2)), 2e-5 + 1e-3);
  EXPECT_LT(all_reduce_seconds(20'000'000, of_ranks(1024)), 2.3e-3) << "at most twice the payload";
}

TEST(StepTime, IsOfOneRankItsWorkAndWhatItDoesForTheMerge) {
  const StepTime alone = step_time(10, 10, step_traffic(1, 1000), 1, of_ranks(1));
  EXPECT_EQ(alone.messages, 0);
  EXPECT_DOUBLE_EQ(alone.work, 0.1);
  EXPECT_GT(alone.efficiency(), 0.999);
  Cluster free_messages = of_ranks(4);
  free_messages.seconds_a_hop = 0;
  EXPECT_DOUBLE_EQ(step_time(10, 20, {}, 1, free_messages).efficiency(), 0.5);
}

}  // namespace
}  // namespace leco
