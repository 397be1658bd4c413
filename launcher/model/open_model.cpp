#include "launcher/model/open_model.h"

#include <fmt/format.h>

#include <algorithm>
#include <tuple>

#include "core/error.h"
#include "io/hub_cache.h"
#include "lora/open_lora.h"

namespace leco {
namespace {

bool ends_in_pure_noise(const TrainSettings& settings, const BaseModel& model) {
  return settings.zero_terminal_snr || model.zero_terminal_snr();
}

}  // namespace

std::string find_model(const std::string& name, FileSource& files) {
  if (files.exists(name) || !may_be_hub_id(name)) return name;
  if (const auto cached = find_in_hub_cache(files, name, process_environment)) return *cached;
  throw_usage(fmt::format(
      "no such model: '{}' is neither a folder, nor a file, nor in the local Hugging Face cache; {}", name,
      missing_from_hub_cache(name, process_environment)));
}

void check_loss_settings(const TrainSettings& settings, const BaseModel& model) {
  if (model.prediction() == Prediction::kV) return;
  if (settings.scale_v_pred_loss_like_noise_pred)
    throw_usage(
        fmt::format("--scale_v_pred_loss_like_noise_pred: the flag is for models that predict v, and '{}' "
                    "predicts noise; leave it out",
                    model.path()));
  if (ends_in_pure_noise(settings, model) && settings.max_denoising_steps == kTrainTimesteps)
    throw_usage(fmt::format(
        "--max_denoising_steps={}: with a zero terminal SNR the first timestep is pure noise, of which a "
        "model that predicts noise, as '{}' does, says nothing; take at most {}",
        settings.max_denoising_steps, model.path(), kTrainTimesteps - 1));
}

std::unique_ptr<BaseModel> open_named_model(const TrainSettings& settings, FileSource& files) {
  return open_base_model(files, find_model(settings.pretrained_model_name_or_path, files),
                         {.v2 = settings.v2,
                          .v_parameterization = settings.v_parameterization,
                          .tokenizer_folder = settings.tokenizer_cache_dir});
}

std::unique_ptr<BaseModel> open_model(const TrainSettings& settings, FileSource& files) {
  auto model = open_named_model(settings, files);
  check_loss_settings(settings, *model);
  return model;
}

bool name_same_model(const TrainSettings& left, const TrainSettings& right) {
  const auto named = [](const TrainSettings& settings) {
    return std::tie(settings.pretrained_model_name_or_path, settings.v2, settings.v_parameterization,
                    settings.tokenizer_cache_dir);
  };
  return named(left) == named(right);
}

std::vector<ChosenLayer> lora_layers(const TrainSettings& settings, UNet& unet, FileSource& files) {
  if (settings.dim_from_weights)
    return layers_of_file(unet, open_lora(files, settings.network_weights), settings.network_args);
  return choose_layers(
      unet, {.rank = settings.network_dim, .alpha = settings.network_alpha, .args = settings.network_args});
}

TextSettings text_settings(const TrainSettings& settings, Family family) {
  using enum TextSettings::Kind;
  return {.kind = family == Family::kSdxl  ? kSdxl
                  : family == Family::kSd2 ? kSd2
                                           : kSd1,
          .max_token_length = settings.max_token_length,
          .clip_skip = settings.clip_skip};
}

std::vector<std::string> model_notices(const TrainSettings& settings, const std::vector<PromptPair>& pairs,
                                       const BaseModel& model) {
  const Family family = model.family();
  std::vector<std::string> notices = model.notices();
  if (family == Family::kSdxl && settings.clip_skip)
    notices.push_back(
        fmt::format("--clip_skip={} has no effect here: SDXL always takes the layer before the last",
                    *settings.clip_skip));
  if (model.prediction() == Prediction::kEpsilon && ends_in_pure_noise(settings, model))
    notices.push_back(
        "the noise schedule ends in pure noise (zero_terminal_snr): made for models that predict v, and this "
        "one predicts noise");
  for (const std::string& notice : block_weight_notices(settings.network_args, family))
    notices.push_back(notice);
  const auto crops = std::ranges::count_if(pairs, &PromptPair::dynamic_crops);
  if (family != Family::kSdxl && crops > 0)
    notices.push_back(fmt::format(
        "dynamic_crops ({} pairs) has no effect here: only SDXL is told the size and crop of its pictures, "
        "and this is an {} model",
        crops, family_name(family)));
  return notices;
}

}  // namespace leco
