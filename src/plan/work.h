// What a training will cost and how evenly its ranks will be loaded: the draws are known beforehand, so this
// is counted step by step rather than guessed.
#pragma once

#include "plan/step_plan.h"

namespace leco {

// By phase, in any unit.
struct PhaseAmounts {
  double rollout = 0;
  double frozen = 0;
  double train = 0;
  double total() const { return rollout + frozen + train; }
};

// Means over the steps that were counted.
struct WorkEstimate {
  int64_t steps = 0;          // counted, from the first
  double rollout_length = 0;  // k, of an item
  PhaseAmounts passes = {};   // a step's U-Net passes of one sample, as in Passes
  PhaseAmounts cost = {};     // a step's cost, in passes of one sample of 512 × 512 pixels
  double efficiency = 1;      // mean load of the ranks over the greatest
};

// Counts all `steps`, or as many of the first as can be drawn in about a second.
WorkEstimate estimate_work(const PlanSettings& settings, const std::vector<PromptPair>& pairs, int64_t steps,
                           int ranks);

}  // namespace leco
