// Prompt files: what is to be trained, written by a person. The format is described in docs/prompts.md.
#pragma once

#include <string>
#include <vector>

#include "config/prompt_direction.h"
#include "config/prompt_pair.h"
#include "core/read_file.h"

namespace leco {

struct PromptFile {
  std::vector<PromptPair> pairs;  // sliders expanded, defaults filled in, numbered by position; never empty
  std::vector<std::string> notices;  // what the user should know although the file is right; one line each
  // One for each slider before its expansion (without `preserve`), one for each pair; in the order of
  // `pairs`.
  std::vector<PromptDirection> directions;
  // The name that a LoRA's metadata gets: the file's, or the one that it says itself (`recorded_as`).
  std::string recorded_as;
};

// Reads a .toml, .yaml or .yml file (by its ending) and the neutral files it names (paths relative to it),
// all through `read`. Throws a usage error of one line that names the file, the line and the key.
PromptFile load_prompt_file(const std::string& path, const ReadFile& read);

}  // namespace leco
