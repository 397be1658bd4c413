#include "plan/cost.h"

#include <set>

namespace leco {

double forward_cost(const Resolution& resolution) {
  const double area = static_cast<double>(resolution.height * resolution.width) / (512.0 * 512.0);
  return 338.6 * area + 63.0 * area * area;
}

DistinctPrompts distinct_prompts(const PromptPair& pair, double rollout_guidance) {
  const bool guided = rollout_guidance != 1.0 && pair.target != pair.unconditional;
  if (pair.guidance_scale == 0.0 || pair.positive == pair.unconditional) return {guided ? 2 : 1, 1};
  const std::set<std::string> frozen = {pair.positive, pair.unconditional, pair.neutral};
  return {guided ? 2 : 1, static_cast<int64_t>(frozen.size())};
}

Passes item_passes(const WorkItem& item, const PromptPair& pair, double rollout_guidance) {
  const DistinctPrompts prompts = distinct_prompts(pair, rollout_guidance);
  return {.rollout = item.k * prompts.rollout * pair.batch_size,
          .frozen = item.points * prompts.frozen * pair.batch_size,
          .train = item.points * 3 * pair.batch_size};
}

double item_cost(const WorkItem& item, const PromptPair& pair, double rollout_guidance) {
  const Passes passes = item_passes(item, pair, rollout_guidance);
  return static_cast<double>(passes.total()) * forward_cost(item.resolution);
}

}  // namespace leco
