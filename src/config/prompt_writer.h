// Pairs as a prompt file of ours, for runs that are to be repeated.
#pragma once

#include <string>
#include <vector>

#include "config/prompt_pair.h"

namespace leco {

// TOML text that load_prompt_file reads back as the same pairs in the same order. What the first pair has
// becomes the file's defaults, so that entries hold the prompts and what differs. `recorded_as`: the name
// that a LoRA trained from it records (PromptFile::recorded_as).
std::string prompt_file_text(const std::vector<PromptPair>& pairs, const std::string& recorded_as);

}  // namespace leco
