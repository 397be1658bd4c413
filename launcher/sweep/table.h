// What `leco sweep --dry_run` prints.
#pragma once

#include <string>

#include "core/counted.h"
#include "launcher/sweep/plan.h"

namespace leco {

// The runs, costliest first, with settings, cost and the group that would take each if all runs took what
// they are expected to; then the whole cost and, where what was trained so far tells the speed, the time.
std::string dry_run_text(const SweepPlan& plan, int ranks);

}  // namespace leco
