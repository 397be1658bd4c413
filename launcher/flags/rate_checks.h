// What the flags of optimizer and learning rate mean together.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace leco {

// Usage error for a schedule that lacks something, or has too much.
void check_rates(const TrainSettings& settings);

// A line for each flag that was given and that the optimizer, or the schedule, does not look at.
std::vector<std::string> rate_notices(const TrainSettings& settings);

}  // namespace leco
