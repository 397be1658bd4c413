// What `leco inspect` says of a model.
#pragma once

#include <string>

#include "pipeline/model_summary.h"

namespace leco {

std::string model_text(const ModelSummary& model);

// One object: file, kind ("model"), form, family, prediction, prediction_source, can_be_trained, components
// (a list of {part, file, sizes, parameters, types: {type: tensors}, problems, unused}), parts of a single
// file (a list of {part, tensors, parameters, names of the unknown ones}; null for a folder), notices.
std::string model_json(const ModelSummary& model);

}  // namespace leco
