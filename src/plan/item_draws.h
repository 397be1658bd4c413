// What a step's items are: the draws that decide pair, rollout length and size. Tensors are drawn where they
// are used.
#pragma once

#include <cstdint>
#include <vector>

#include "config/prompt_pair.h"
#include "config/settings.h"
#include "core/philox.h"

namespace leco {

// What SDXL is told of a picture beside the size it is to have: the size of the one it would have been cut
// from, and the cut's corner. Pixels.
struct PictureCrop {
  Resolution original;
  int64_t top = 0;
  int64_t left = 0;
};

struct WorkItem {
  int64_t step = 0;       // from 0
  int64_t index = 0;      // within the step, from 0
  int64_t pair = 0;       // index into the prompt pairs
  int64_t k = 1;          // rollout length, 1 … K−1
  int64_t timestep = 0;   // t = 999 − ⌊k·1000/K⌋: what the predictions are conditioned on
  Resolution resolution;  // pixels
  PictureCrop crop = {};  // the whole picture, unless the pair has dynamic_crops
};

// What the draws depend on, resolved.
struct DrawSettings {
  uint64_t seed = 0;
  int64_t items = 1;             // N, a step
  int64_t denoising_steps = 40;  // K
  PairOrder pair_order = PairOrder::kShuffle;
  RolloutLength rollout_length = RolloutLength::kShared;
};

// The N items of a step, in order. A pure function: every rank computes the same.
std::vector<WorkItem> draw_items(const DrawSettings& settings, const std::vector<PromptPair>& pairs,
                                 int64_t step);

}  // namespace leco
