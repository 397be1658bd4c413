// What `leco evaluate` does with a LoRA file, for whoever has a model: the command, and a sweep after each of
// its runs.
#pragma once

#include <functional>
#include <optional>
#include <string>

#include "comm/world.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/model/model_parts.h"

namespace leco {

// Measures and draws, and writes the report: the same files for any number of ranks. Returns their paths, a
// line each, on every rank. What can be wrong with `given` is found before weights are read; usage errors.
// `stop`, asked before each point and each row of pictures, makes all ranks leave off when it gives another
// number than 0 (and then always): nothing is written, and nothing returned. Collective over `world`.
std::optional<std::string> evaluate(const EvaluateSettings& given, ModelParts& model, World& world,
                                    FileSource& files, const std::function<int()>& stop);

// Usage error where no CLIP model lies in the folder. On one rank; reads no weights.
void check_clip_model(const std::string& folder);

}  // namespace leco
