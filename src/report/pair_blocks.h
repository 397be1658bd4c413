// Prompt pairs for people.
#pragma once

#include <nlohmann/json.hpp>
#include <string>

namespace leco {

// A block a pair, each line behind a line break: a head with number, action and numbers, then the prompts.
// Takes the JSON list that `plan --json` and the metadata leco_pairs hold; what a foreign list lacks shows as
// a dash.
std::string pair_blocks(const nlohmann::ordered_json& pairs);

}  // namespace leco
