// The flags of `leco sample`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "config/settings.h"
#include "launcher/flags/flag_table.h"

namespace leco {

struct SampleSettings {
  TrainSettings model;  // of these what says the model, its text, the device and the threads
  std::string vae;      // another than the model's own
  std::vector<std::string> network_weights;
  std::vector<double> network_mul;  // one for each file, or empty: all 1

  std::vector<std::string> prompts;
  std::string sample_prompts;  // or a file of them, with options
  std::string negative_prompt;
  std::vector<double> scales = {-2, -1, 0, 1, 2};  // columns; without a LoRA there is one
  std::optional<uint64_t> seed = 1;
  int64_t images_per_prompt = 1;
  int64_t sample_steps = 30;
  double guidance_scale = 7.5;
  SamplerKind sample_sampler = SamplerKind::kDdim;
  std::optional<int64_t> height, width;  // pixels; absent: what the family is made for
  int64_t start_noise = 1000;            // above this timestep the LoRA is off

  std::string output;
  std::string latents;
  bool help = false;

  bool has_lora() const { return !network_weights.empty(); }
  double strength(size_t file) const { return network_mul.empty() ? 1.0 : network_mul[file]; }
};

// Throws usage errors; what comes back is within its ranges, unless it asks for help.
SampleSettings parse_sample_flags(std::span<const std::string> arguments);
std::string sample_help();
std::vector<Flag> listed_sample_flags();  // bound to settings that nobody reads
NamedValues effective_settings(const SampleSettings& settings);

}  // namespace leco
