// The learning rate of each step, as transformers' and diffusers' schedules give it.
#pragma once

#include "config/settings.h"

namespace leco {

// Used in step `step` (from 0), before the factors of segments. A warm-up's first step has rate 0, as there.
// The base rate throughout where the optimizer takes no schedule.
double learning_rate(const TrainSettings& settings, int64_t step);

}  // namespace leco
