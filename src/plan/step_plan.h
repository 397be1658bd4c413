// One step: its items, grouped into packs, shared out over ranks. Computed alike on every rank, without a
// message.
#pragma once

#include "plan/cost.h"
#include "plan/item_draws.h"

namespace leco {

// Items of equal resolution, batch size and need of guidance that go through the U-Net together. The unit
// that is shared out: it has the same shapes whatever rank executes it, which is what makes the result
// independent of the number of ranks. Longest rollout first (then by index), so that the items still rolling
// are always the first rows of the batch.
using Pack = std::vector<WorkItem>;

// The items of a pack that have this point, at it: those that roll longer have as many at least, so these are
// the pack's first ones. Empty behind the last point of all.
Pack at_point(const Pack& pack, int64_t point, const DrawSettings& settings);

struct StepPlan {
  std::vector<Pack> packs;
  std::vector<double> costs;                 // of each pack
  std::vector<std::vector<int64_t>> shares;  // pack indices of each rank
  double efficiency() const;
  double greatest_load() const;  // of a rank
};

struct PlanSettings {
  DrawSettings draws;
  int64_t items_per_pass = 1;  // G
  double rollout_guidance = 3.0;
};

// N is resolved here: pairs_per_step, else accumulation × ranks. The seed must have been drawn.
PlanSettings plan_settings(const TrainSettings& settings, int ranks);

StepPlan plan_step(const PlanSettings& settings, const std::vector<PromptPair>& pairs, int64_t step,
                   int ranks);

}  // namespace leco
