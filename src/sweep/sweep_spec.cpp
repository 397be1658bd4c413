#include "sweep/sweep_spec.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "config/config_table.h"
#include "config/yaml_reader.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

const std::vector<std::string> kKeys = {"name",    "output_dir",    "base",        "prompts",
                                        "sliders", "grid",          "exclude",     "include",
                                        "sample",  "ranks_per_run", "max_retries", "evaluate"};
constexpr int64_t kMostRanks = 1'000'000, kMostRetries = 100;

int64_t integer_in(const ConfigTable& table, std::string_view key, int64_t lowest, int64_t highest) {
  const int64_t value = table.integer(key);
  if (value < lowest || value > highest)
    table.fail(key, fmt::format("is {}; expected {} to {}", value, lowest, highest));
  return value;
}

// One text, or a list of some.
std::vector<ConfigNode> texts_of(const ConfigTable& top, std::string_view key) {
  if (top.node(key).is(Kind::kText)) return {top.node(key)};
  top.texts(key);  // the checks
  return top.node(key).list;
}

std::vector<ConfigNode> tables_of(const ConfigTable& top, const std::string& key) {
  if (!top.has(key)) return {};
  for (const ConfigTable& entry : top.tables(key, key))
    if (entry.keys().empty())
      fail_at(top.path(), entry.line(), fmt::format("{} holds nothing", entry.name()));
  return top.node(key).list;
}

void check_sliders(const ConfigTable& top) {
  for (const ConfigTable& entry : top.tables("sliders", "sliders")) {
    if (!entry.has("name"))
      fail_at(top.path(), entry.line(),
              fmt::format("{}: 'name' is missing; runs are named by it", entry.name()));
    if (entry.text("name").empty()) entry.fail("name", "is empty");
  }
}

SweepSpec::Entries grid_of(const ConfigTable& top) {
  if (!top.has("grid")) return {};
  const ConfigTable grid = top.table("grid");
  for (const ConfigEntry& entry : top.node("grid").table)
    if (!entry.value.is(Kind::kList) || entry.value.list.empty())
      grid.fail(entry.key, fmt::format("must be a list of one value or more, not {}", describe(entry.value)));
  return top.node("grid").table;
}

SweepSpec::Sample sample_of(const ConfigTable& sample) {
  static const std::vector<std::string> keys = {"count", "seed"};
  sample.refuse_unknown(keys);
  for (const std::string& key : keys)
    if (!sample.has(key)) fail_at(sample.path(), sample.line(), fmt::format("sample: '{}' is missing", key));
  return {.count = integer_in(sample, "count", 1, std::numeric_limits<int64_t>::max()),
          .seed = static_cast<uint64_t>(integer_in(sample, "seed", 0, std::numeric_limits<int64_t>::max()))};
}

void read_sources(const ConfigTable& top, SweepSpec& spec) {
  if (top.has("prompts") && top.has("sliders"))
    top.fail("sliders", "and 'prompts' are both there; a sweep takes its prompts from one of them");
  if (top.has("prompts")) {
    spec.prompts = texts_of(top, "prompts");
  } else if (top.has("sliders")) {
    check_sliders(top);
    spec.sliders = top.node("sliders").list;
  } else {
    fail_at(top.path(), top.line(),
            "nothing to train: give 'prompts', a list of prompt files, or 'sliders', a list of targets");
  }
}

nlohmann::ordered_json to_json(const ConfigNode& node) {
  switch (node.kind) {
    case Kind::kInteger:
      return node.integer;
    case Kind::kNumber:
      return node.number;
    case Kind::kFlag:
      return node.flag;
    case Kind::kNothing:
      return nullptr;
    default:
      return node.text;
  }
}

// Paths stay right where the text is written into another folder.
bool names_a_file(const std::string& key) {
  return key == "neutral_prompt_file" || key == "prompt_file";
}

// YAML in flow style, which JSON's values are.
class SliderText {
 public:
  SliderText(std::string folder, bool keeps_lines) : folder_(std::move(folder)), keeps_lines_(keeps_lines) {}

  std::string of(const ConfigNode& slider) {
    text_ = "{\"targets\": [{";
    bool first = true;
    for (const ConfigEntry& entry : slider.table) {
      if (entry.key == "name") continue;
      if (!first) text_ += ",";
      first = false;
      go_to(entry.line);
      text_ += nlohmann::json(entry.key).dump() + ": ";
      add(names_a_file(entry.key) ? with_folder(entry.value) : entry.value);
    }
    return text_ + "}]}\n";
  }

 private:
  ConfigNode with_folder(ConfigNode value) const {
    if (value.is(Kind::kText)) value.text = (std::filesystem::path(folder_) / value.text).string();
    return value;
  }

  void go_to(int64_t line) {
    if (!keeps_lines_) {
      text_ += text_.ends_with('{') ? "" : "\n  ";
      return;
    }
    while (line_ < line) {
      text_ += "\n";
      ++line_;
    }
    text_ += " ";
  }

  void add(const ConfigNode& node) {
    if (node.is(Kind::kList)) {
      text_ += "[";
      for (const ConfigNode& element : node.list) {
        if (&element != &node.list.front()) text_ += ", ";
        add(element);
      }
      text_ += "]";
    } else if (node.is(Kind::kTable)) {
      text_ += "{";
      for (const ConfigEntry& entry : node.table) {
        if (&entry != &node.table.front()) text_ += ", ";
        text_ += nlohmann::json(entry.key).dump() + ": ";
        add(entry.value);
      }
      text_ += "}";
    } else {
      text_ += to_json(node).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
    }
  }

  std::string folder_, text_;
  bool keeps_lines_;
  int64_t line_ = 1;
};

}  // namespace

SweepSpec parse_sweep_spec(const std::string& path, std::string_view text) {
  const ConfigNode root = parse_yaml(path, text);
  if (!root.is(Kind::kTable))
    fail_at(path, root.line, fmt::format("a sweep is a table of keys, not {}", describe(root)));
  const ConfigTable top(root, {path, ConfigFormat::kYaml}, "top level");
  top.refuse_unknown(kKeys);

  SweepSpec spec{.path = path, .name = std::filesystem::path(path).stem().string()};
  if (top.has("name")) spec.name = top.text("name");
  if (!top.has("output_dir"))
    fail_at(path, top.line(), "'output_dir' is missing: the folder that gets a folder for each run");
  spec.output_dir = top.text("output_dir");
  if (spec.output_dir.empty()) top.fail("output_dir", "is empty");
  if (top.has("base")) {
    top.table("base");  // the check
    spec.base = top.node("base").table;
  }
  read_sources(top, spec);
  spec.grid = grid_of(top);
  spec.exclude = tables_of(top, "exclude");
  spec.include = tables_of(top, "include");
  if (top.has("sample")) spec.sample = sample_of(top.table("sample"));
  if (top.has("ranks_per_run")) spec.ranks_per_run = integer_in(top, "ranks_per_run", 1, kMostRanks);
  if (top.has("max_retries")) spec.max_retries = integer_in(top, "max_retries", 0, kMostRetries);
  if (top.has("evaluate")) {
    top.table("evaluate");
    spec.evaluate = top.node("evaluate").table;
  }
  return spec;
}

std::string slider_file(const ConfigNode& slider, const std::string& folder, bool keeps_lines) {
  return SliderText(folder, keeps_lines).of(slider);
}

}  // namespace leco
