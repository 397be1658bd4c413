// The learning rate of each step, as transformers' schedules give it.
#pragma once

#include "config/settings.h"

namespace leco {

// Used in step `step` (from 0). constant: the base rate; constant_with_warmup: base·min(1, step/warmup), so
// the first step of a warm-up has rate 0, as there.
double learning_rate(const TrainSettings& settings, int64_t step);

}  // namespace leco
