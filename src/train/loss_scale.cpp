#include "train/loss_scale.h"

#include <algorithm>

namespace leco {
namespace {

constexpr double kBackoff = 0.5, kGrowth = 2.0;
constexpr int64_t kGrowthInterval = 2000;
constexpr double kGreatest = 0x1p40;  // the merge's integers bear more, float16 never needs it

}  // namespace

void LossScale::update(bool overflowed) {
  if (!scales_) return;
  if (overflowed) {
    state_ = {.scale = state_.scale * kBackoff, .clean_steps = 0, .skipped_steps = state_.skipped_steps + 1};
  } else if (++state_.clean_steps == kGrowthInterval) {
    state_.scale = std::min(state_.scale * kGrowth, kGreatest);
    state_.clean_steps = 0;
  }
}

}  // namespace leco
