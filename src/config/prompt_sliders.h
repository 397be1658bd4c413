// A slider is written as two poles and trained as pairs that pull both ways.
#pragma once

#include <vector>

#include "config/prompt_keys.h"
#include "config/prompt_neutrals.h"

namespace leco {

// Expands one slider: for each neutral, for each size, the two or four pairs of docs/prompts.md. `own` is its
// entry (nullptr: written at the outer levels), `outer` its defaults. `preserve` is not applied yet.
std::vector<PromptPair> expand_slider(const ConfigTable* own, const Levels& outer, NeutralPrompts& neutrals,
                                      Notices& notices);

}  // namespace leco
