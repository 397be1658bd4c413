// The trained LoRA on disk: file names, metadata, atomic writes.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/prompt_pair.h"
#include "config/settings.h"
#include "diffusion/noise_schedule.h"
#include "io/safetensors.h"
#include "lora/lora_network.h"
#include "model/family.h"

namespace leco {

// What determines the result beside the weights, and therefore goes into the file. Nothing else does: no
// date, path, host, number of ranks or output name, so that equal trainings give equal bytes.
struct Provenance {
  const TrainSettings& settings;
  const std::vector<PromptPair>& pairs;
  std::string prompts_name;  // of the prompt file: PromptFile::recorded_as
  std::vector<std::pair<std::string, std::string>>
      effective;  // every setting that determines the result, as text
  std::vector<std::pair<std::string, std::string>> model_files =
      {};  // file within the model folder → SHA-256
  Family family = Family::kSd1;
  Prediction prediction = Prediction::kEpsilon;
  std::string device;  // kind: "cpu", or the GPU's name
};

// "<dir>/<name>-step00000100.safetensors" (or .ckpt, .pt); without a number at the last step.
std::string lora_path(const TrainSettings& settings, int64_t finished_steps);

// sd-scripts' keys for LECO, modelspec's, and ours. Empty with --no_metadata.
Metadata lora_metadata(const LoraNetwork& network, const Provenance& provenance, int64_t finished_steps);

// Writes the file whole or not at all and returns its path; throws when a weight is not finite in the file's
// type. One rank calls it.
std::string save_lora(const LoraNetwork& network, const Provenance& provenance, int64_t finished_steps);

}  // namespace leco
