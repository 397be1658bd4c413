#include "plan/item_draws.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

namespace leco {
namespace {

// The pair order of one epoch: Fisher–Yates, for j = P−1 … 1 swap j with an integer in {0 … j}.
std::vector<int64_t> shuffled_pairs(uint64_t seed, int64_t epoch, int64_t count) {
  std::vector<int64_t> order(count);
  std::iota(order.begin(), order.end(), int64_t{0});
  const Draws draws(seed, {.purpose = Purpose::kPairOrder, .step = epoch});
  uint64_t position = 0;
  for (int64_t j = count - 1; j >= 1; --j)
    std::swap(order[j], order[draws.integer(position++, static_cast<uint32_t>(j + 1))]);
  return order;
}

// The pair of each item of a step. A step may span several epochs.
std::vector<int64_t> draw_pairs(const DrawSettings& settings, int64_t pair_count, int64_t step) {
  std::vector<int64_t> pairs(settings.items);
  if (settings.pair_order == PairOrder::kRandom) {
    for (int64_t item = 0; item < settings.items; ++item)
      pairs[item] = Draws(settings.seed, {.purpose = Purpose::kPairOrder, .step = step, .item = item})
                        .integer(0, static_cast<uint32_t>(pair_count));
    return pairs;
  }
  std::vector<int64_t> order;
  int64_t order_epoch = -1;
  for (int64_t item = 0; item < settings.items; ++item) {
    const int64_t global_item = step * settings.items + item;
    const int64_t epoch = global_item / pair_count;
    if (epoch != order_epoch) order = shuffled_pairs(settings.seed, order_epoch = epoch, pair_count);
    pairs[item] = order[global_item % pair_count];
  }
  return pairs;
}

int64_t draw_rollout_length(const DrawSettings& settings, int64_t step, int64_t item) {
  const auto draw = [&](int64_t of_item) {
    const Draws draws(settings.seed, {.purpose = Purpose::kRolloutLength, .step = step, .item = of_item});
    return int64_t{1} + draws.integer(0, static_cast<uint32_t>(settings.denoising_steps - 1));
  };
  switch (settings.rollout_length) {
    case RolloutLength::kShared:
      return draw(0);
    case RolloutLength::kIndependent:
      return draw(item);
    case RolloutLength::kAntithetic:
      return item % 2 == 0 ? draw(item) : settings.denoising_steps - draw(item - 1);
  }
  return 0;
}

// LECO's t = 999 − ⌊k·1000/K⌋ is a little above the level at which the rollout has arrived; aligned, it is
// that.
int64_t timestep_after(const DrawSettings& settings, int64_t k) {
  if (settings.align_timestep) return sampler_timestep(settings.sampler, settings.denoising_steps, k);
  return 999 - k * 1000 / settings.denoising_steps;
}

// Height and width are drawn apart, from the multiples of 64 in [resolution/2, resolution].
Resolution draw_resolution(const DrawSettings& settings, const PromptPair& pair, int64_t step, int64_t item) {
  if (!pair.dynamic_resolution) return pair.resolution;
  const int64_t highest = pair.resolution.height / 64;
  const int64_t lowest = (pair.resolution.height / 2 + 63) / 64;
  const auto choices = static_cast<uint32_t>(highest - lowest + 1);
  const Draws draws(settings.seed, {.purpose = Purpose::kResolution, .step = step, .item = item});
  return {64 * (lowest + draws.integer(0, choices)), 64 * (lowest + draws.integer(1, choices))};
}

// A picture of one to three times the size, and where the size is cut from it.
PictureCrop draw_crop(const DrawSettings& settings, const WorkItem& item) {
  const Draws draws(settings.seed, {.purpose = Purpose::kCrop, .step = item.step, .item = item.index});
  const double scale = 1 + 2 * draws.uniform(0);
  const auto scaled = [scale](int64_t size) {
    return static_cast<int64_t>(std::floor(static_cast<double>(size) * scale));
  };
  const auto corner = [&draws](uint64_t position, int64_t room) -> int64_t {
    return draws.integer(position, static_cast<uint32_t>(std::max<int64_t>(room, 1)));
  };
  const Resolution& size = item.resolution;
  const Resolution original = {scaled(size.height), scaled(size.width)};
  return {original, corner(1, original.height - size.height), corner(2, original.width - size.width)};
}

}  // namespace

std::vector<WorkItem> draw_items(const DrawSettings& settings, const std::vector<PromptPair>& pairs,
                                 int64_t step) {
  const auto chosen = draw_pairs(settings, static_cast<int64_t>(pairs.size()), step);
  std::vector<WorkItem> items;
  for (int64_t index = 0; index < settings.items; ++index) {
    const PromptPair& pair = pairs[chosen[index]];
    const int64_t k = draw_rollout_length(settings, step, index);
    const int64_t points = std::min(settings.samples_per_rollout, k);
    WorkItem item = {.step = step,
                     .index = index,
                     .pair = chosen[index],
                     .k = k,
                     .timestep = timestep_after(settings, k),
                     .points = points,
                     .point = points - 1,
                     .resolution = draw_resolution(settings, pair, step, index)};
    item.crop = pair.dynamic_crops ? draw_crop(settings, item) : PictureCrop{item.resolution};
    items.push_back(item);
  }
  return items;
}

int64_t length_to(const WorkItem& item, int64_t point) {
  return ((point + 1) * item.k + item.points - 1) / item.points;
}

WorkItem at_point(const WorkItem& item, int64_t point, const DrawSettings& settings) {
  WorkItem at = item;
  at.point = point;
  at.k = length_to(item, point);
  at.timestep = timestep_after(settings, at.k);
  return at;
}

}  // namespace leco
