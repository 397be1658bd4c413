#include "plan/step_plan.h"

#include <algorithm>
#include <functional>

#include "core/error.h"
#include "plan/shares.h"

namespace leco {
namespace {

std::vector<Pack> make_packs(const PlanSettings& settings, const std::vector<PromptPair>& pairs,
                             const std::vector<WorkItem>& items) {
  const auto rollout_halves = [&](const WorkItem& item) {
    return distinct_prompts(pairs[item.pair], settings.rollout_guidance).rollout;
  };
  std::vector<Pack> packs;
  std::vector<size_t>
      open;  // those that are not full, of different shapes: few, however many items there are
  for (const WorkItem& item : items) {
    const auto joins = [&](size_t index) {
      const WorkItem& first = packs[index].front();
      return first.resolution == item.resolution &&
             pairs[first.pair].batch_size == pairs[item.pair].batch_size &&
             rollout_halves(first) == rollout_halves(item);
    };
    const auto found = std::ranges::find_if(open, joins);
    if (found != open.end()) {
      packs[*found].push_back(item);
      if (std::ssize(packs[*found]) == settings.items_per_pass) open.erase(found);
    } else {
      packs.push_back({item});
      if (settings.items_per_pass > 1) open.push_back(packs.size() - 1);
    }
  }
  for (Pack& pack : packs) std::ranges::stable_sort(pack, std::greater<>{}, &WorkItem::k);
  return packs;
}

}  // namespace

Pack at_point(const Pack& pack, int64_t point, const DrawSettings& settings) {
  Pack there;
  for (const WorkItem& item : pack)
    if (point < item.points) there.push_back(at_point(item, point, settings));
  return there;
}

double StepPlan::efficiency() const {
  return leco::efficiency(costs, shares);
}

double StepPlan::greatest_load() const {
  return leco::greatest_load(costs, shares);
}

PlanSettings plan_settings(const TrainSettings& settings, int ranks) {
  LECO_ASSERT(settings.seed.has_value());
  return {.draws = {.seed = *settings.seed,
                    .items = settings.pairs_per_step.value_or(settings.gradient_accumulation_steps * ranks),
                    .denoising_steps = settings.max_denoising_steps,
                    .pair_order = settings.pair_order,
                    .rollout_length = settings.rollout_length,
                    .sampler = settings.rollout_sampler,
                    .samples_per_rollout = settings.samples_per_rollout,
                    .align_timestep = settings.align_timestep},
          .items_per_pass = settings.items_per_pass,
          .rollout_guidance = settings.leco_denoise_guidance_scale};
}

StepPlan plan_step(const PlanSettings& settings, const std::vector<PromptPair>& pairs, int64_t step,
                   int ranks) {
  StepPlan plan;
  plan.packs = make_packs(settings, pairs, draw_items(settings.draws, pairs, step));
  for (const Pack& pack : plan.packs) {
    double cost = 0;
    for (const WorkItem& item : pack) cost += item_cost(item, pairs[item.pair], settings.rollout_guidance);
    plan.costs.push_back(cost);
  }
  plan.shares = share_out(plan.costs, ranks);
  return plan;
}

}  // namespace leco
