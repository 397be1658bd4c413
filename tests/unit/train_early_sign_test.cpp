#include "train/early_sign.h"

#include <gtest/gtest.h>

#include "comm/local_communicator.h"
#include "report/early_sign_line.h"

namespace leco {
namespace {

using torch::Tensor;

WorkItem item(int64_t index) {
  WorkItem made;
  made.index = index;
  return made;
}

Tensor random_prediction(int64_t samples, uint64_t seed) {
  at::manual_seed(seed);
  return at::randn({samples, 4, 8, 8});
}

EarlySign share(const EarlySignSums& sums) {
  return sums.share(*make_local_communicator(), torch::kCPU);
}

TEST(EarlySigns, equal_the_formulas_over_all_elements) {
  const Tensor base = random_prediction(6, 1), trained = base + 0.1 * random_prediction(6, 2),
               goal = base + random_prediction(6, 3);
  EarlySignSums sums(3);
  sums.note({item(2), item(0)}, {trained.narrow(0, 0, 4), base.narrow(0, 0, 4), goal.narrow(0, 0, 4)});
  sums.note({item(1)}, {trained.narrow(0, 4, 2), base.narrow(0, 4, 2), goal.narrow(0, 4, 2)});
  const EarlySign sign = share(sums);
  const Tensor change = (trained.to(torch::kFloat64) - base), wanted = (goal.to(torch::kFloat64) - base);
  const auto dot = [](const Tensor& a, const Tensor& b) { return (a * b).sum().item<double>(); };
  EXPECT_NEAR(sign.change, std::sqrt(dot(change, change) / dot(base.to(torch::kFloat64), base)), 1e-12);
  EXPECT_NEAR(sign.cosine, dot(change, wanted) / std::sqrt(dot(change, change) * dot(wanted, wanted)), 1e-12);
  EXPECT_NEAR(sign.progress, dot(change, wanted) / dot(wanted, wanted), 1e-12);
  EXPECT_TRUE(sign.has_goal);
}

TEST(EarlySigns, half_of_the_way_is_half_with_cosine_one) {
  const Tensor base = random_prediction(2, 1), goal = random_prediction(2, 2);
  EarlySignSums sums(1);
  sums.note({item(0)}, {(base + goal) / 2, base, goal});
  EXPECT_NEAR(share(sums).progress, 0.5, 1e-6);
  EXPECT_NEAR(share(sums).cosine, 1, 1e-6);
}

TEST(EarlySigns, the_points_of_an_item_add) {
  const Tensor base = random_prediction(2, 1), goal = random_prediction(2, 2),
               trained = random_prediction(2, 3);
  EarlySignSums once(1), twice(1);
  once.note({item(0)}, {trained, base, goal});
  for (int64_t half = 0; half < 2; ++half)
    twice.note({item(0)}, {trained.narrow(0, half, 1), base.narrow(0, half, 1), goal.narrow(0, half, 1)});
  EXPECT_NEAR(share(once).progress, share(twice).progress, 1e-12);
  EXPECT_NEAR(share(once).change, share(twice).change, 1e-12);
}

TEST(EarlySigns, nothing_learnt_and_nothing_to_learn_are_zeros) {
  const Tensor base = random_prediction(2, 1), goal = random_prediction(2, 2);
  EarlySignSums fresh(1), idle(1);
  fresh.note({item(0)}, {base, base, goal});
  EXPECT_EQ(share(fresh), (EarlySign{0, 0, 0, true}));
  idle.note({item(0)}, {goal, base, base});
  EXPECT_EQ(share(idle).progress, 0);
  EXPECT_FALSE(share(idle).has_goal);
}

TEST(EarlySigns, are_due_at_every_nth_finished_step) {
  TrainSettings settings;
  EXPECT_FALSE(sums_when_due(settings, 0, 1));
  EXPECT_TRUE(sums_when_due(settings, 19, 1));
  settings.early_sign_every = 0;
  EXPECT_FALSE(sums_when_due(settings, 19, 1));
}

TEST(EarlySignLines, say_what_was_measured) {
  EXPECT_EQ(early_sign_line(40, {.change = 0.0123, .cosine = 0.631, .progress = 0.081}),
            "early sign at step 40: predictions changed by 1.2%, cosine to the goal 0.63, 8.1% of the way");
}

TEST(EarlySignLines, warn_once_after_a_tenth_of_the_run_and_say_what_to_change) {
  TrainSettings settings;  // 1600 steps at 2e-6
  EarlySignJudge judge(settings);
  const EarlySign nothing{.change = 0.001, .cosine = 0.4, .progress = 0.002};
  EXPECT_EQ(judge.judge(140, nothing), "");
  const std::string warning = judge.judge(160, nothing);
  EXPECT_NE(warning.find("Raise --learning_rate (now 2e-06): 1e-4 to 1e-3 is usual"), std::string::npos)
      << warning;
  EXPECT_EQ(judge.judge(180, nothing), "");
}

TEST(EarlySignLines, tell_the_reasons_apart) {
  TrainSettings settings;
  settings.learning_rate = 1e-3;
  const auto warning = [&](EarlySign sign) { return EarlySignJudge(settings).judge(1600, sign); };
  EXPECT_EQ(warning({.change = 0.1, .cosine = 0.5, .progress = 0.2}), "");
  EXPECT_NE(warning({.change = 0.3, .cosine = 0.0, .progress = 0.001}).find("it moves elsewhere"),
            std::string::npos);
  EXPECT_NE(warning({.change = 0.001, .cosine = 0.5, .progress = 0.001}).find("--network_alpha"),
            std::string::npos);
  EXPECT_NE(warning({.has_goal = false}).find("nothing to learn"), std::string::npos);
}

TEST(EarlySignLines, wait_for_the_end_of_the_warm_up) {
  TrainSettings settings;
  settings.lr_schedule.warmup = 400;
  EarlySignJudge judge(settings);
  EXPECT_EQ(judge.judge(200, {}), "");
  EXPECT_NE(judge.judge(400, {}), "");
}

}  // namespace
}  // namespace leco
