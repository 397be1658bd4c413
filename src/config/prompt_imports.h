// Prompt files in YAML, said in the keys of docs/prompts.md: the list form of p1atdev/LECO and
// rohitgandikota/sliders, job files of ostris/ai-toolkit, and tables with our own keys.
#pragma once

#include "config/config_table.h"
#include "config/prompt_keys.h"

namespace leco {

// The table that a TOML file of the same meaning would hold. What another program's key means here, or does
// not, is said in `notices`; a usage error names what cannot be taken over.
ConfigNode import_yaml_prompts(ConfigNode root, const ConfigSource& source, Notices& notices);

}  // namespace leco
