// The flags of `leco train` and `leco plan`: one table gives parsing, --help and docs/flags.md.
// Names, value forms and defaults are those of sd-scripts' train_leco.py and sdxl_train_leco.py (124 flags),
// and ours.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "config/settings.h"
#include "core/read_file.h"
#include "launcher/flags/flag_parser.h"

namespace leco {

using NamedValues = std::vector<std::pair<std::string, std::string>>;

// A file of flags to be written.
struct ConfigOutput {
  std::string path;
  std::string text;
};

struct ParsedTrain {
  TrainSettings settings;
  std::vector<std::string> notices;  // flags that were given and have no effect, a line each
  NamedValues effective;             // effective_settings(settings)
  bool help = false;                 // --help was given: nothing else is filled
  std::string start_anew =
      "start anew under another --output_name";  // advice where a state has other settings
  std::optional<ConfigOutput> output;  // --output_config was given: the settings were checked one by one only

  bool stops() const { return help || output.has_value(); }  // there is something else to do than to train
};

struct ParsedPlan : ParsedTrain {
  bool json = false;
  std::optional<int64_t> ranks;  // to plan for; absent: the processes that were started
};

// `arguments` are the words after the subcommand. --config_file is read through `read` (at most one call, the
// same on every rank); the command line wins over it. Throws usage errors; what comes back has passed
// validate().
ParsedTrain parse_train_flags(std::span<const std::string> arguments, const ReadFile& read);
// The same for flags that stand in another file.
ParsedTrain check_train_flags(std::span<const Given> given);
ParsedPlan parse_plan_flags(std::span<const std::string> arguments, const ReadFile& read);

// All that the two commands take, also the flags that are commands to the program; for help and completion.
std::vector<Flag> listed_train_flags();
std::vector<Flag> listed_plan_flags();

std::string train_help();
std::string plan_help();
std::string flags_markdown();  // the text of docs/flags.md

// Every working flag with its value as text, in table order. Works from the settings alone, so that what is
// resolved after parsing (seed, N, threads) can be shown.
NamedValues effective_settings(const TrainSettings& settings);
// Those of them that determine the result, for the LoRA's metadata: no paths, names or saving intervals.
NamedValues result_settings(const TrainSettings& settings);

// What no single flag can check: what must be given, and contradictions. `for_training`: a model and an
// output folder are needed as well. Ranges are checked where a flag is set.
void validate(const TrainSettings& settings, bool for_training);

// The table, bound to the settings that it fills; `settings` must outlive it.
std::vector<Flag> train_flags(TrainSettings& settings);

}  // namespace leco
