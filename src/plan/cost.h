// What an item is expected to cost, so that a step's work can be shared out evenly before it is done.
#pragma once

#include "plan/item_draws.h"

namespace leco {

// Multiply-accumulates of one U-Net forward pass of one sample, in 10⁹, for SD 1.x at this size: 338.6 for
// layers (linear in pixels) and 63.0 for attention (quadratic) at 512 × 512. Only ratios matter to the
// shares.
double forward_cost(const Resolution& resolution);

// How many of a pair's prompts really differ; nothing is predicted twice.
struct DistinctPrompts {
  int64_t rollout;  // 1 where guidance has no second half to compute, else 2
  int64_t frozen;   // 1 … 3
};
DistinctPrompts distinct_prompts(const PromptPair& pair, double rollout_guidance);

// U-Net passes of one sample each.
struct Passes {
  int64_t rollout = 0;
  int64_t frozen = 0;
  int64_t train = 0;  // the trained prediction, and its backward pass counted as two
  int64_t total() const { return rollout + frozen + train; }
};
Passes item_passes(const WorkItem& item, const PromptPair& pair, double rollout_guidance);

// All its passes, each at the cost of its size.
double item_cost(const WorkItem& item, const PromptPair& pair, double rollout_guidance);

}  // namespace leco
