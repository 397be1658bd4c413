// The file of a sweep: many trainings that share most of their settings (SPEC section 10, docs/sweeps.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_node.h"

namespace leco {

struct SweepSpec {
  struct Sample {
    int64_t count = 1;
    uint64_t seed = 0;
  };
  // Flags and what they are set to, each with its line.
  using Entries = std::vector<ConfigEntry>;

  std::string path;  // of the file, for messages
  std::string name;  // the file's stem where it gives none
  std::string output_dir = {};
  Entries base = {};
  std::vector<ConfigNode> prompts = {};  // files and globs, kText
  std::vector<ConfigNode> sliders = {};  // tables: a slider's target with a name
  Entries grid = {};                     // each value a list
  std::vector<ConfigNode> exclude = {};  // tables, as those of include
  std::vector<ConfigNode> include = {};
  std::optional<Sample> sample = {};
  int64_t ranks_per_run = 1;
  int64_t max_retries = 1;
  std::optional<Entries> evaluate = {};  // flags of leco evaluate; absent: nothing is evaluated
};

// Throws a usage error of one line with file, line and key: what parse_yaml refuses, unknown keys (with the
// nearest), wrong types, empty lists, a missing output_dir, both or none of prompts and sliders. Names and
// values of flags are not looked at here.
SweepSpec parse_sweep_spec(const std::string& path, std::string_view text);

// The prompt file that says the same as an entry of sliders, as YAML. With `keeps_lines` each key stands in
// the line where the spec has it, so that messages about the text point into the spec. `folder` is where the
// spec lies: file names in the entry are relative to it.
std::string slider_file(const ConfigNode& slider, const std::string& folder, bool keeps_lines);

}  // namespace leco
