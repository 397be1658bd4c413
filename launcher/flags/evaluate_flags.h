// The flags of `leco evaluate`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/sampler.h"
#include "config/settings.h"
#include "launcher/flags/flag_table.h"

namespace leco {

struct EvaluateSettings {
  TrainSettings model;  // of these what says the model, its text, the prompt file, the device and the threads
  std::string vae;      // another than the model's own

  // What is measured
  std::vector<double> scales = {-2, -1, -0.5, 0, 0.5, 1, 2};  // ascending, distinct, holding 0
  int64_t samples = 16;
  std::optional<uint64_t> seed = 1;
  std::vector<std::string> preserve;  // distinct

  // The pictures
  std::string negative_prompt;
  int64_t images_per_prompt = 1;
  int64_t sample_steps = 30;
  double guidance_scale = 7.5;
  SamplerKind sample_sampler = SamplerKind::kDdim;
  std::optional<int64_t> height, width;  // pixels; absent: as the prompt file says
  std::string clip_model;

  std::string output;
  bool thumbnail = false;  // a sweep's: also writes thumbnail.jpg there, which its page embeds
  bool annotate = false;
  bool help = false;
};

// Throws usage errors; what comes back is whole and within its ranges, unless it asks for help.
EvaluateSettings parse_evaluate_flags(std::span<const std::string> arguments);
// The block `evaluate` of a sweep file: the flags that say what is measured and drawn, by name, and `prompts`
// for
// --preserve. Of each entry the name, the values as words and the place are read. Throws usage errors.
EvaluateSettings parse_sweep_evaluation(std::span<const Given> entries);

// The same for one of its runs: the model and the prompt file are the run's. `lora` is the file that it
// wrote, `output` the folder for the report.
EvaluateSettings evaluation_of_run(const EvaluateSettings& common, const TrainSettings& run,
                                   const std::string& lora, const std::string& output);
std::string evaluate_help();
std::vector<Flag> listed_evaluate_flags();  // bound to settings that nobody reads
NamedValues effective_settings(const EvaluateSettings& settings);

}  // namespace leco
