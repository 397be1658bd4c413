// From what the user says of the model to the model.
#pragma once

#include <string>
#include <vector>

#include "config/prompt_pair.h"
#include "config/settings.h"
#include "lora/layer_choice.h"
#include "pipeline/base_model.h"
#include "text/prompt_embeddings.h"

namespace leco {

// --pretrained_model_name_or_path is a folder, a single file, or a hub id that lies in the local Hugging Face
// cache. Usage error that says where it was looked for, and how to fetch it. Collective, as `files` is.
std::unique_ptr<BaseModel> open_model(const TrainSettings& settings, FileSource& files);

// The same, for whatever is done with it: without check_loss_settings().
std::unique_ptr<BaseModel> open_named_model(const TrainSettings& settings, FileSource& files);

// Whether open_model() opens one model for both.
bool name_same_model(const TrainSettings& left, const TrainSettings& right);

// Settings that a model of its prediction cannot be trained with are usage errors. open_model() has checked.
void check_loss_settings(const TrainSettings& settings, const BaseModel& model);

// The folder or file that such a name stands for; the name itself where it is none of these.
std::string find_model(const std::string& name, FileSource& files);

// The layers that get LoRA modules: what the settings say, or with --dim_from_weights the file. Collective.
std::vector<ChosenLayer> lora_layers(const TrainSettings& settings, UNet& unet, FileSource& files);

TextSettings text_settings(const TrainSettings& settings, Family family);

// What the model's files do not say, and what was set and has no effect on such a model, a line each.
std::vector<std::string> model_notices(const TrainSettings& settings, const std::vector<PromptPair>& pairs,
                                       const BaseModel& model);

}  // namespace leco
