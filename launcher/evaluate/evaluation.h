// What `leco evaluate` does with a LoRA file, for whoever has a model: the command, and a sweep after each of
// its runs.
#pragma once

#include <string>

#include "comm/world.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/model/model_parts.h"

namespace leco {

// Measures and draws, and writes the report: the same files for any number of ranks. Returns their paths, a
// line each, on every rank. What can be wrong with `given` is found before weights are read; usage errors.
// Collective over `world`.
std::string evaluate(const EvaluateSettings& given, ModelParts& model, World& world, FileSource& files);

// Usage error where no CLIP model lies in the folder. On one rank; reads no weights.
void check_clip_model(const std::string& folder);

}  // namespace leco
