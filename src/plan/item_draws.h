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
  int64_t k = 1;          // rollout length, 1 … K−1; of an item at a point: how far that lies along it
  int64_t timestep = 0;   // of k: what the predictions are conditioned on
  int64_t points = 1;     // of the rollout that are trained at, min(samples_per_rollout, k)
  int64_t point = 0;      // which of them this is, from 0
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
  SamplerKind sampler = SamplerKind::kDdpm;
  int64_t samples_per_rollout = 1;
  bool align_timestep = false;
};

// The N items of a step, in order. A pure function: every rank computes the same.
std::vector<WorkItem> draw_items(const DrawSettings& settings, const std::vector<PromptPair>& pairs,
                                 int64_t step);

// After how many steps the rollout comes to the point, ⌈(point + 1)·k/points⌉: k at the last one.
int64_t length_to(const WorkItem& item, int64_t point);

// The item at one of its points; at the last one it is the item itself.
WorkItem at_point(const WorkItem& item, int64_t point, const DrawSettings& settings);

}  // namespace leco
