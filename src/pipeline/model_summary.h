// What a model's files hold, part by part, and whether that is all that training needs. Names, types and
// shapes are read, no weights.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "pipeline/base_model.h"
#include "pipeline/file_parts.h"

namespace leco {

struct ComponentSummary {
  std::string what;  // "U-Net", "text encoder", "text encoder 2", "VAE"
  std::string sizes;
  std::string file;
  int64_t parameters = 0;
  std::map<torch::ScalarType, int64_t> tensors_of_type = {};
  std::vector<std::string> problems = {};  // a line for each tensor that is missing or has another shape
  std::vector<std::string> unused = {};    // tensors of the part that nothing needs
  bool is_trained_with = true;             // the VAE only draws
};

struct ModelSummary {
  std::string path, form;
  Family family = Family::kSd1;
  Prediction prediction = Prediction::kEpsilon;
  std::string prediction_source;
  UNetConfig unet;
  std::vector<ComponentSummary> components;
  std::vector<FilePart> parts = {};  // single files only
  std::vector<std::string> notices;
  bool can_be_trained() const;  // no component that this needs has a problem
};

// Throws what open_base_model throws, and usage errors for parts that cannot even be opened.
ModelSummary summarise_model(const BaseModel& model);

}  // namespace leco
