// What an entry of a prompt file wants of the LoRA, as measuring needs it: one direction, however many pairs
// the entry is trained as.
#pragma once

#include <string>

#include "config/prompt_pair.h"

namespace leco {

struct PromptDirection {
  std::string target;              // where the LoRA acts
  std::string positive, negative;  // the ends of the direction
  // +1: at strength 1 the LoRA is trained to move from `negative` to `positive`; −1: the other way round, as
  // a pair that erases, or one that is trained at a multiplier below 0.
  double sign = 1.0;
  Resolution resolution = {};  // the first, where there are several; with dynamic_resolution the upper end
  bool operator==(const PromptDirection&) const = default;
};

// positive − unconditional, turned round where the pair erases and where its multiplier is negative.
inline PromptDirection direction_of(const PromptPair& pair) {
  const bool turned = (pair.action == Action::kErase) != (pair.multiplier < 0);
  return {pair.target, pair.positive, pair.unconditional, turned ? -1.0 : 1.0, pair.resolution};
}

}  // namespace leco
