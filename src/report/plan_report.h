// What `leco plan` says.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "plan/memory.h"
#include "plan/work.h"

namespace leco {

struct PlanReport {
  const std::vector<PromptPair>& pairs;
  std::vector<std::pair<std::string, std::string>> settings;  // effective, as text
  PlanSettings plan = {};
  int64_t steps = 1;  // of the training
  int ranks = 1;
  bool seed_is_given = true;  // else the draws are an example
  WorkEstimate work = {};
  std::vector<StepPlan> first_steps = {};                // one at least
  std::optional<std::vector<std::string>> modules = {};  // absent without a model, as is the memory
  std::vector<int64_t> ranks_of_modules = {};
  std::optional<MemoryEstimate> memory = {};
};

std::string plan_text(const PlanReport& report);

// One object, the keys of SPEC section 4: pairs, settings, modules, shares (the items of each rank in the
// first step), cost (of a step, in passes of one 512 × 512 sample through the U-Net), memory_bytes (of a
// rank), efficiency.
std::string plan_json(const PlanReport& report);

}  // namespace leco
