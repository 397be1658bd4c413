#include "plan/work.h"

#include <algorithm>

namespace leco {
namespace {

constexpr int64_t kMostEfforts = 10'000'000;  // items drawn and compared with others: about a second

void add(PhaseAmounts& sum, const Passes& passes, double factor) {
  sum.rollout += factor * static_cast<double>(passes.rollout);
  sum.frozen += factor * static_cast<double>(passes.frozen);
  sum.train += factor * static_cast<double>(passes.train);
}

PhaseAmounts divided(const PhaseAmounts& sum, double count) {
  return {sum.rollout / count, sum.frozen / count, sum.train / count};
}

}  // namespace

WorkEstimate estimate_work(const PlanSettings& settings, const std::vector<PromptPair>& pairs, int64_t steps,
                           int ranks) {
  const int64_t items = settings.draws.items;
  const int64_t efforts_a_step = items * (items + ranks) + std::ssize(pairs);
  const double unit = forward_cost({512, 512});
  WorkEstimate sum{.steps = std::clamp<int64_t>(kMostEfforts / efforts_a_step, 1, steps), .efficiency = 0};
  double lengths = 0;
  for (int64_t step = 0; step < sum.steps; ++step) {
    const StepPlan plan = plan_step(settings, pairs, step, ranks);
    sum.efficiency += plan.efficiency();
    for (const Pack& pack : plan.packs) {
      for (const WorkItem& item : pack) {
        const Passes passes = item_passes(item, pairs[item.pair], settings.rollout_guidance);
        add(sum.passes, passes, 1);
        add(sum.cost, passes, forward_cost(item.resolution) / unit);
        lengths += static_cast<double>(item.k);
      }
    }
  }
  const auto count = static_cast<double>(sum.steps);
  return {.steps = sum.steps,
          .rollout_length = lengths / (count * static_cast<double>(items)),
          .passes = divided(sum.passes, count),
          .cost = divided(sum.cost, count),
          .efficiency = sum.efficiency / count};
}

}  // namespace leco
