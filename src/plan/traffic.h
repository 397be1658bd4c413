// What a rank sends in a step, and what that costs beside the work: the model behind docs/distributed.md's
// table.
#pragma once

#include <cstdint>

namespace leco {

// Payload of a rank's collectives in one step, in bytes. Neither depends on the number of ranks; with the
// usual N, several items a rank, the small message grows by 8 bytes an item.
struct StepTraffic {
  int64_t message = 0;    // the step message (train/step_message.h): float64, maximum
  int64_t gradients = 0;  // the exact merge: int64, sum
};
StepTraffic step_traffic(int64_t items, int64_t lora_weights);

// Elements that the merge sends at a time from a GPU; more would only need more memory.
inline constexpr int64_t kGpuMergePiece = int64_t{1} << 24;

// float64 numbers of the step message that are not the losses of items.
inline constexpr int64_t kStepMessageHead = 10;

// A cluster of equal ranks with one network adapter each.
struct Cluster {
  int ranks = 1;
  double seconds_a_pass = 0;    // one sample through the U-Net
  double bytes_a_second = 0;    // what a rank sends, and receives at the same time
  double seconds_a_hop = 0;     // of a message of no size from a rank to another
  double memory_a_second = 0;   // bytes: what the merge's and the optimizer's passes over the LoRA run at
  double planning_seconds = 0;  // a step's plan, which every rank makes
};

// Trees for latency, bandwidth as of rings (double binary trees have both):
// 2·⌈log2 R⌉ hops and 2·(R − 1)/R times the payload.
double all_reduce_seconds(int64_t bytes, const Cluster& cluster);

struct StepTime {
  double work = 0;      // of the rank with the most to do
  double mean = 0;      // of all ranks
  double messages = 0;  // both collectives
  double own = 0;       // what every rank does alike: plan, quantise, sum, update
  double total() const { return work + messages + own; }
  double efficiency() const { return mean / total(); }  // of one rank that did nothing but its items: 1
};
// `mean_passes`, `greatest_passes`: of a rank in a step, in passes of one sample. `packs`: of a rank.
StepTime step_time(double mean_passes, double greatest_passes, const StepTraffic& traffic, int64_t packs,
                   const Cluster& cluster);

}  // namespace leco
