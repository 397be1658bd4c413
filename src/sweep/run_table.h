// From a sweep's file to its runs: every prompt file with every combination of the grid, less what is
// excluded, plus what is included.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "sweep/sweep_spec.h"

namespace leco {

// A prompt file, or a slider of the sweep's own file.
struct PromptSource {
  std::string name;  // its stem, or the slider's name
  std::string path;  // of the prompt file; empty for a slider
  int64_t line = 1;  // of the sweep's file
  const ConfigNode* slider = nullptr;
};

struct SweepRun {
  std::string name = {};  // unique; a file name
  size_t source = 0;
  SweepSpec::Entries values = {};  // over base: the last of a flag counts
  std::vector<std::pair<std::string, std::string>> swept =
      {};  // as in the name: the grid's flags, then others
};

struct RunTable {
  std::vector<SweepRun> runs;  // by source, then the grid's first flag, and so on; included ones last
  std::vector<std::string> notices;
};

// The text of a flag's value for names and comparisons: equal values have equal texts. Refuses what is no
// value of the flag, and unknown flags.
using ValueText = std::function<std::string(const ConfigEntry&)>;
// What a flag has in a run that does not set it: base's value, else its default.
using UsualText = std::function<std::string(const std::string& flag)>;

// Usage errors with file and line: a combination that is there twice, names that are no file names, an
// exclude with a flag that is not in the grid, a sample of more than there is, more than kMostRuns runs,
// none.
RunTable expand_runs(const SweepSpec& spec, const std::vector<PromptSource>& sources, const ValueText& text,
                     const UsualText& usual);

// What a file's name bears of a text: no '/', no blanks, nothing that does not print.
std::string for_name(std::string text);

constexpr size_t kMostRuns = 100'000;
// Stands in exclude and include for the name of a prompt file or slider.
inline constexpr const char* kPromptsKey = "prompts";

}  // namespace leco
