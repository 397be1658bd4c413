// Dynamic loss scaling for float16: the loss is multiplied by a power of two before the backward pass, so
// that small gradients do not vanish in float16, and the gradient is divided by it afterwards. The rule is
// torch.amp.GradScaler's.
#pragma once

#include <cstdint>

#include "config/settings.h"

namespace leco {

class LossScale {
 public:
  // Part of a run's state: with it a run continues as if it had not stopped.
  struct State {
    double scale = 65536;       // a power of two; 1 where nothing is scaled
    int64_t clean_steps = 0;    // since the scale changed
    int64_t skipped_steps = 0;  // of the whole run: those that updated nothing
  };
  explicit LossScale(MixedPrecision precision) : scales_(precision == MixedPrecision::kFloat16) {
    if (!scales_) state_.scale = 1;
  }

  double value() const { return state_.scale; }
  // Whether a gradient that is not finite may come from the scale alone. At 1 it is a fault.
  bool may_overflow() const { return scales_ && state_.scale > 1; }
  // After a step, alike on all ranks: halved when a scaled gradient was not finite, doubled after 2000 steps
  // without.
  void update(bool overflowed);

  const State& state() const { return state_; }
  void restore(const State& state) { state_ = state; }

 private:
  bool scales_;
  State state_;
};

}  // namespace leco
