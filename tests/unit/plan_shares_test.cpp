// Shares, costs and packs: what decides which rank does what. The draws themselves are held to a second
// program in tests/parity.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <numeric>
#include <set>

#include "core/philox.h"
#include "plan/shares.h"
#include "plan/step_plan.h"

namespace leco {
namespace {

using Shares = std::vector<std::vector<int64_t>>;

PromptPair pair_of(const std::string& target, const std::string& positive,
                   const std::string& unconditional = "", const std::string& neutral = "") {
  PromptPair pair;
  pair.target = target;
  pair.positive = positive;
  pair.unconditional = unconditional;
  pair.neutral = neutral;
  return pair;
}

double load_of(const std::vector<double>& costs, const std::vector<int64_t>& share) {
  return std::accumulate(share.begin(), share.end(), 0.0,
                         [&](double sum, int64_t pack) { return sum + costs[pack]; });
}

TEST(Shares, give_the_costliest_first_to_the_rank_with_least_so_far) {
  // 7 → rank 0, 6 → 1, 5 → 2, 4 → 2 (5), 3 → 1 (6), 2 → 0 (7): loads 9, 9, 9.
  EXPECT_EQ(share_out({3, 7, 2, 5, 6, 4}, 3), (Shares{{1, 2}, {0, 4}, {3, 5}}));
}

TEST(Shares, break_ties_of_cost_by_index_and_ties_of_load_by_rank) {
  EXPECT_EQ(share_out({1, 1, 1, 1, 1}, 2), (Shares{{0, 2, 4}, {1, 3}}));
  EXPECT_EQ(share_out({2, 5, 5, 2, 5}, 3), (Shares{{0, 1}, {2, 3}, {4}}));
}

TEST(Shares, leave_ranks_empty_where_there_are_more_ranks_than_packs) {
  EXPECT_EQ(share_out({1, 9}, 5), (Shares{{1}, {0}, {}, {}, {}}));
  EXPECT_EQ(share_out({}, 3), (Shares{{}, {}, {}}));
}

TEST(Shares, of_one_rank_are_everything_in_order) {
  EXPECT_EQ(share_out({1, 9, 4}, 1), (Shares{{0, 1, 2}}));
}

TEST(Shares, hold_every_pack_once_ascending_and_stay_within_grahams_bound) {
  for (int trial = 0; trial < 200; ++trial) {
    const Draws draws(7, {.purpose = Purpose::kPairOrder, .step = trial});
    std::vector<double> costs(1 + draws.integer(0, 30));
    for (size_t i = 0; i < costs.size(); ++i) costs[i] = 1 + draws.integer(i + 1, 50);
    const int ranks = 1 + static_cast<int>(draws.integer(100, 9));
    const Shares shares = share_out(costs, ranks);
    ASSERT_EQ(shares.size(), static_cast<size_t>(ranks));
    std::set<int64_t> seen;
    double greatest = 0;
    for (const auto& share : shares) {
      EXPECT_TRUE(std::ranges::is_sorted(share));
      for (const int64_t pack : share) EXPECT_TRUE(seen.insert(pack).second);
      greatest = std::max(greatest, load_of(costs, share));
    }
    EXPECT_EQ(seen.size(), costs.size());
    const double mean = std::accumulate(costs.begin(), costs.end(), 0.0) / ranks;
    EXPECT_LE(greatest, mean + std::ranges::max(costs));  // no list schedule can be worse
    EXPECT_EQ(shares, share_out(costs, ranks));
  }
}

TEST(Efficiency, is_mean_load_over_greatest) {
  EXPECT_DOUBLE_EQ(efficiency({4, 2, 2}, {{0}, {1, 2}}), 1.0);
  EXPECT_DOUBLE_EQ(efficiency({4, 2}, {{0}, {1}}), 0.75);
  EXPECT_DOUBLE_EQ(efficiency({4}, {{0}, {}, {}, {}}), 0.25);
  EXPECT_DOUBLE_EQ(efficiency({}, {{}, {}}), 1.0);
}

TEST(Cost, counts_each_distinct_prompt_once) {
  const PromptPair all_differ = pair_of("a", "b", "c", "d");
  EXPECT_EQ(distinct_prompts(all_differ, 3.0).rollout, 2);
  EXPECT_EQ(distinct_prompts(all_differ, 3.0).frozen, 3);
  EXPECT_EQ(distinct_prompts(all_differ, 1.0).rollout, 1) << "guidance 1 has no second half";
  EXPECT_EQ(distinct_prompts(all_differ, 0.0).rollout, 2);

  PromptPair pair = all_differ;
  pair.neutral = pair.unconditional;
  EXPECT_EQ(distinct_prompts(pair, 3.0).frozen, 2);
  pair = all_differ;
  pair.positive = pair.unconditional;
  EXPECT_EQ(distinct_prompts(pair, 3.0).frozen, 1) << "no direction: the goal is the neutral prediction";
  pair = all_differ;
  pair.guidance_scale = 0;
  EXPECT_EQ(distinct_prompts(pair, 3.0).frozen, 1);
  pair = all_differ;
  pair.target = pair.unconditional;
  EXPECT_EQ(distinct_prompts(pair, 3.0).rollout, 1) << "both halves of the guidance are equal";
}

TEST(Cost, of_an_item_is_its_passes_times_batch_times_size) {
  PromptPair pair = pair_of("a", "b");  // frozen: "b" and ""
  pair.batch_size = 2;
  const WorkItem item{.k = 10, .resolution = {512, 512}};
  EXPECT_DOUBLE_EQ(item_cost(item, pair, 3.0), (10 * 2 + 2 + 3) * 2 * (338.6 + 63.0));
  EXPECT_DOUBLE_EQ(item_cost(item, pair, 1.0), (10 * 1 + 2 + 3) * 2 * (338.6 + 63.0));
  EXPECT_DOUBLE_EQ(forward_cost({256, 512}), 338.6 / 2 + 63.0 / 4);
}

// Four pairs of 64 × 64, one of another size, one of another batch, one without a second half.
std::vector<PromptPair> mixed_pairs() {
  std::vector<PromptPair> pairs(7, pair_of("a", "b"));
  for (PromptPair& pair : pairs) pair.resolution = {64, 64};
  pairs[4].resolution = {64, 128};
  pairs[5].batch_size = 2;
  pairs[6].target = "";
  return pairs;
}

PlanSettings settings_for(int64_t items, int64_t items_per_pass) {
  return {.draws = {.seed = 3, .items = items, .rollout_length = RolloutLength::kIndependent},
          .items_per_pass = items_per_pass};
}

TEST(Points, lie_evenly_along_the_rollout_and_none_comes_twice) {
  PlanSettings settings{.draws = {.seed = 3,
                                  .items = 200,
                                  .denoising_steps = 12,
                                  .rollout_length = RolloutLength::kIndependent,
                                  .samples_per_rollout = 4},
                        .items_per_pass = 200};
  const Pack pack = plan_step(settings, {pair_of("a", "b")}, 0, 1).packs.at(0);
  std::set<int64_t> lengths;
  for (const WorkItem& item : pack) {
    std::vector<int64_t> expected, found;
    for (int64_t j = 1; j <= 4; ++j) {
      const int64_t k = (j * item.k + 3) / 4;  // ⌈j·k/n⌉
      if (expected.empty() || expected.back() != k) expected.push_back(k);
    }
    for (int64_t point = 0; point < item.points; ++point) {
      const WorkItem at = at_point(item, point, settings.draws);
      EXPECT_EQ(at.timestep, 999 - at.k * 1000 / 12);
      found.push_back(at.k);
    }
    EXPECT_EQ(found, expected) << item.k;
    lengths.insert(item.k);
  }
  EXPECT_EQ(lengths.size(), 11u);
  for (int64_t point = 0; point < 5; ++point) {
    const Pack there = at_point(pack, point, settings.draws);
    EXPECT_EQ(there.empty(), point == 4);
    for (size_t i = 0; i < there.size(); ++i)
      EXPECT_EQ(there[i].index, pack[i].index) << "the first of the pack";
  }
}

TEST(Timesteps, are_the_rollouts_own_where_they_are_to_be_aligned) {
  DrawSettings settings{.seed = 3, .denoising_steps = 12, .align_timestep = true};
  const WorkItem ddpm = draw_items(settings, {pair_of("a", "b")}, 0).at(0);
  EXPECT_EQ(ddpm.timestep, (11 - ddpm.k) * 83);
  settings.sampler = SamplerKind::kDpmpp2m;
  const WorkItem dpm = draw_items(settings, {pair_of("a", "b")}, 0).at(0);
  EXPECT_EQ(dpm.timestep, (12 - dpm.k) * 76);
}

TEST(Packs, hold_items_of_one_size_one_batch_and_one_need_of_guidance) {
  const auto pairs = mixed_pairs();
  for (int64_t step = 0; step < 20; ++step) {
    for (const Pack& pack : plan_step(settings_for(21, 4), pairs, step, 3).packs) {
      ASSERT_LE(pack.size(), 4u);
      for (const WorkItem& item : pack) {
        EXPECT_EQ(item.resolution, pack[0].resolution);
        EXPECT_EQ(pairs[item.pair].batch_size, pairs[pack[0].pair].batch_size);
        EXPECT_EQ(item.pair == 6, pack[0].pair == 6);
      }
    }
  }
}

TEST(Packs, hold_every_item_once_longest_rollout_first_then_by_index) {
  const auto pairs = mixed_pairs();
  std::set<int64_t> seen;
  for (const Pack& pack : plan_step(settings_for(21, 4), pairs, 5, 3).packs) {
    for (const WorkItem& item : pack) EXPECT_TRUE(seen.insert(item.index).second);
    for (size_t i = 1; i < pack.size(); ++i)
      EXPECT_TRUE(pack[i - 1].k > pack[i].k ||
                  (pack[i - 1].k == pack[i].k && pack[i - 1].index < pack[i].index));
  }
  EXPECT_EQ(seen.size(), 21u);
}

TEST(Packs, are_as_full_as_the_items_allow_when_the_number_is_not_divisible) {
  const std::vector<PromptPair> alike(2, pair_of("a", "b"));
  const StepPlan plan = plan_step(settings_for(7, 3), alike, 0, 2);
  ASSERT_EQ(plan.packs.size(), 3u);
  EXPECT_EQ(plan.packs[0].size(), 3u);
  EXPECT_EQ(plan.packs[1].size(), 3u);
  EXPECT_EQ(plan.packs[2].size(), 1u);
}

TEST(Packs, are_single_items_in_order_by_default) {
  const StepPlan plan = plan_step(settings_for(5, 1), mixed_pairs(), 0, 2);
  ASSERT_EQ(plan.packs.size(), 5u);
  for (int64_t i = 0; i < 5; ++i) EXPECT_EQ(plan.packs[i].at(0).index, i);
}

TEST(StepPlan, has_the_same_packs_and_costs_for_any_number_of_ranks) {
  const auto pairs = mixed_pairs();
  const StepPlan alone = plan_step(settings_for(12, 2), pairs, 4, 1);
  for (int ranks = 2; ranks < 20; ++ranks) {
    const StepPlan plan = plan_step(settings_for(12, 2), pairs, 4, ranks);
    EXPECT_EQ(plan.costs, alone.costs);
    ASSERT_EQ(plan.packs.size(), alone.packs.size());
    for (size_t p = 0; p < plan.packs.size(); ++p)
      EXPECT_TRUE(std::ranges::equal(plan.packs[p], alone.packs[p], {}, &WorkItem::index, &WorkItem::index));
    EXPECT_EQ(plan.shares, share_out(alone.costs, ranks));
  }
}

TEST(StepPlan, costs_a_pack_the_sum_of_its_items) {
  const auto pairs = mixed_pairs();
  const StepPlan plan = plan_step(settings_for(9, 3), pairs, 1, 2);
  for (size_t p = 0; p < plan.packs.size(); ++p) {
    double cost = 0;
    for (const WorkItem& item : plan.packs[p]) cost += item_cost(item, pairs[item.pair], 3.0);
    EXPECT_DOUBLE_EQ(plan.costs[p], cost);
  }
}

// What docs/distributed.md promises for rollouts of independent lengths.
TEST(Efficiency, is_at_least_97_percent_with_four_items_a_rank_on_8_ranks) {
  constexpr int64_t kSteps = 500;
  for (const auto& pairs : {std::vector{pair_of("a", "b")}, std::vector{pair_of("a", "b", "c", "d")}}) {
    double sum = 0, least = 1;
    for (int64_t step = 0; step < kSteps; ++step) {
      const double one = plan_step(settings_for(32, 1), pairs, step, 8).efficiency();
      sum += one;
      least = std::min(least, one);
    }
    std::printf("  mean %.4f, least %.4f of %d steps\n", sum / kSteps, least, static_cast<int>(kSteps));
    EXPECT_GE(sum / kSteps, 0.97);
  }
}

TEST(PlanSettings, have_accumulation_times_ranks_items_unless_told) {
  TrainSettings settings;
  settings.seed = 1;
  settings.gradient_accumulation_steps = 3;
  EXPECT_EQ(plan_settings(settings, 4).draws.items, 12);
  settings.pairs_per_step = 5;
  EXPECT_EQ(plan_settings(settings, 4).draws.items, 5);
}

}  // namespace
}  // namespace leco
