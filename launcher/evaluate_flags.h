// The flags of `leco evaluate`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/sampler.h"
#include "config/settings.h"
#include "launcher/flag_table.h"

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
  bool annotate = false;
  bool help = false;
};

// Throws usage errors; what comes back is whole and within its ranges, unless it asks for help.
EvaluateSettings parse_evaluate_flags(std::span<const std::string> arguments);
std::string evaluate_help();
std::vector<Flag> listed_evaluate_flags();  // bound to settings that nobody reads
NamedValues effective_settings(const EvaluateSettings& settings);

}  // namespace leco
