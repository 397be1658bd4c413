#include "train/pairs_json.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

ordered_json to_json(const PromptPair& pair) {
  return {{"target", pair.target},
          {"positive", pair.positive},
          {"unconditional", pair.unconditional},
          {"neutral", pair.neutral},
          {"action", pair.action == Action::kErase ? "erase" : "enhance"},
          {"guidance_scale", pair.guidance_scale},
          {"resolution", {pair.resolution.height, pair.resolution.width}},
          {"dynamic_resolution", pair.dynamic_resolution},
          {"dynamic_crops", pair.dynamic_crops},
          {"batch_size", pair.batch_size},
          {"multiplier", pair.multiplier},
          {"weight", pair.weight}};
}

// Throws nlohmann's exceptions.
PromptPair from_json(const ordered_json& json) {
  PromptPair pair;
  json.at("target").get_to(pair.target);
  json.at("positive").get_to(pair.positive);
  json.at("unconditional").get_to(pair.unconditional);
  json.at("neutral").get_to(pair.neutral);
  pair.action = json.at("action").get<std::string>() == "erase" ? Action::kErase : Action::kEnhance;
  json.at("guidance_scale").get_to(pair.guidance_scale);
  json.at("resolution").at(0).get_to(pair.resolution.height);
  json.at("resolution").at(1).get_to(pair.resolution.width);
  json.at("dynamic_resolution").get_to(pair.dynamic_resolution);
  json.at("dynamic_crops").get_to(pair.dynamic_crops);
  json.at("batch_size").get_to(pair.batch_size);
  json.at("multiplier").get_to(pair.multiplier);
  json.at("weight").get_to(pair.weight);
  return pair;
}

}  // namespace

std::string pairs_json(const std::vector<PromptPair>& pairs, size_t most) {
  ordered_json list = ordered_json::array();
  for (size_t i = 0; i < std::min(most, pairs.size()); ++i) list.push_back(to_json(pairs[i]));
  return list.dump();
}

std::vector<PromptPair> pairs_of_json(const std::string& json, const std::string& place) {
  std::vector<PromptPair> pairs;
  try {
    for (const ordered_json& entry : ordered_json::parse(json)) pairs.push_back(from_json(entry));
  } catch (const ordered_json::exception& error) {
    throw_usage(fmt::format("{}: no list of prompt pairs: {}", place, error.what()));
  }
  if (pairs.empty()) throw_usage(fmt::format("{}: the list of prompt pairs is empty", place));
  return pairs;
}

}  // namespace leco
