// From the lines of a sample-prompt file to what is drawn.
#pragma once

#include <vector>

#include "config/sample_prompts.h"
#include "sample/drawing.h"

namespace leco {

// A row for each prompt, in their order; `item` is the place in the list. What a prompt does not say is as in
// `defaults`. Usage error, with the prompt's place, for a sampler that is not known or cannot make so many
// steps.
std::vector<DrawingRow> rows_of(const std::vector<SamplePrompt>& prompts, const DrawingRow& defaults);

}  // namespace leco
