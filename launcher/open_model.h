// From what the user says of the model to the model.
#pragma once

#include <string>
#include <vector>

#include "config/prompt_pair.h"
#include "config/settings.h"
#include "text/prompt_embeddings.h"
#include "train/model_folder.h"

namespace leco {

// --pretrained_model_name_or_path is a folder, or a hub id that lies in the local Hugging Face cache. Usage
// error that says where it was looked for, and how to fetch it. Collective, as `files` is.
ModelFolder open_model(const TrainSettings& settings, FileSource& files);

TextSettings text_settings(const TrainSettings& settings, Family family);

// What was set and has no effect on a model of this family, a line each.
std::vector<std::string> family_notices(const TrainSettings& settings, const std::vector<PromptPair>& pairs,
                                        Family family);

}  // namespace leco
