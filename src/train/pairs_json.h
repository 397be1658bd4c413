// Prompt pairs as JSON: what a LoRA's metadata holds as leco_pairs, and `leco plan` prints.
#pragma once

#include <cstddef>
#include <limits>
#include <string>
#include <vector>

#include "config/prompt_pair.h"

namespace leco {

// A list with every field of each pair; of the first `most`.
std::string pairs_json(const std::vector<PromptPair>& pairs,
                       size_t most = std::numeric_limits<size_t>::max());

// Back from that. Usage error that starts with `place` where the text is something else or lacks a field.
std::vector<PromptPair> pairs_of_json(const std::string& json, const std::string& place);

}  // namespace leco
