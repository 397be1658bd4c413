#include "plan/traffic.h"

#include <bit>

namespace leco {
namespace {

// Bytes that move through memory for each weight. A pack: its gradient is copied (8), and read, scaled,
// rounded, turned into an integer and added (4 + 8·7). Once a step: mean, norm, clip and AdamW.
constexpr double kBytesAPack = 68;
constexpr double kBytesAStep = 80;

}  // namespace

StepTraffic step_traffic(int64_t items, int64_t lora_weights) {
  return {.message = 8 * (kStepMessageHead + items), .gradients = 8 * lora_weights};
}

double all_reduce_seconds(int64_t bytes, const Cluster& cluster) {
  const int ranks = cluster.ranks;
  if (ranks == 1) return 0;
  const int depth = std::bit_width(static_cast<unsigned>(ranks - 1));
  const double share = 2.0 * (ranks - 1) / ranks;
  return 2 * depth * cluster.seconds_a_hop + share * static_cast<double>(bytes) / cluster.bytes_a_second;
}

StepTime step_time(double mean_passes, double greatest_passes, const StepTraffic& traffic, int64_t packs,
                   const Cluster& cluster) {
  const double weights = static_cast<double>(traffic.gradients) / 8;
  const double moved = weights * (kBytesAPack * static_cast<double>(packs) + kBytesAStep);
  return {.work = greatest_passes * cluster.seconds_a_pass,
          .mean = mean_passes * cluster.seconds_a_pass,
          .messages =
              all_reduce_seconds(traffic.message, cluster) + all_reduce_seconds(traffic.gradients, cluster),
          .own = cluster.planning_seconds + moved / cluster.memory_a_second};
}

}  // namespace leco
