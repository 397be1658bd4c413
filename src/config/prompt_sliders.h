// A slider is written as two poles and trained as pairs that pull both ways.
#pragma once

#include <vector>

#include "config/prompt_direction.h"
#include "config/prompt_keys.h"
#include "config/prompt_neutrals.h"

namespace leco {

struct Slider {
  std::vector<PromptPair> pairs;
  // From the negative prompt, else the first neutral, to the positive prompt, else the target.
  PromptDirection direction;
};

// Expands one slider: for each neutral, for each size, the two or four pairs of docs/prompts.md. `own` is its
// entry (nullptr: written at the outer levels), `outer` its defaults. `preserve` is not applied yet.
Slider expand_slider(const ConfigTable* own, const Levels& outer, NeutralPrompts& neutrals, Notices& notices);

}  // namespace leco
