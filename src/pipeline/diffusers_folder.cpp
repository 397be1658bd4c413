#include "pipeline/diffusers_folder.h"

#include <fmt/format.h>

#include "core/error.h"
#include "io/component_files.h"

namespace leco {
namespace {

struct Encoder {
  const char* folder;
  const char* tokenizer;
};

std::vector<Encoder> encoders_of(Family family) {
  if (family == Family::kSdxl) return {{"text_encoder", "tokenizer"}, {"text_encoder_2", "tokenizer_2"}};
  return {{"text_encoder", "tokenizer"}};
}

}  // namespace

DiffusersFolder::DiffusersFolder(FileSource& files, const std::string& path, const ModelClaims& claims)
    : BaseModel(files, path) {
  const std::string config = path_ + "/unet/config.json";
  if (!files_.exists(config)) {
    throw_usage(fmt::format(
        "'{}' is no model folder in Diffusers' layout: it has no unet/config.json (a single file is given by "
        "its own path)",
        path_));
  }
  set_unet(parse_unet_config(files_.read(config), config), claims);
  scheduler_ = read_scheduler(claims);
  if (!claims.tokenizer_folder.empty()) {
    notices_.push_back(fmt::format(
        "--tokenizer_cache_dir has no effect here: '{}' is a Diffusers folder, which has its own tokenizer",
        path_));
  }
}

SchedulerConfig DiffusersFolder::read_scheduler(const ModelClaims& claims) {
  const Prediction claimed = claims.v_parameterization ? Prediction::kV : Prediction::kEpsilon;
  const std::string scheduler = path_ + "/scheduler/scheduler_config.json";
  if (!files_.exists(scheduler)) {
    notices_.push_back(fmt::format(
        "'{}' has no scheduler/scheduler_config.json; taken as a model of {} prediction (as {} "
        "--v_parameterization says)",
        path_, prediction_name(claimed), claims.v_parameterization ? "the given" : "the missing"));
    prediction_source_ = claims.v_parameterization ? "by --v_parameterization" : "no file says it";
    return {.prediction = claimed};
  }
  const SchedulerConfig read = parse_scheduler_config(files_.read(scheduler), scheduler);
  if (claims.v_parameterization && read.prediction != Prediction::kV) {
    throw_usage(fmt::format("--v_parameterization: {} says {} prediction; leave the flag out", scheduler,
                            prediction_name(read.prediction)));
  }
  prediction_source_ = "by scheduler_config.json";
  return read;
}

std::vector<std::string> DiffusersFolder::unet_files() const {
  return find_component(files_, path_ + "/unet", "diffusion_pytorch_model");
}

StateDict DiffusersFolder::open_unet(Contents contents) const {
  return open_component(files_, unet_files(), contents);
}

std::vector<TextEncoderSource> DiffusersFolder::read_text_encoders(Contents contents) const {
  std::vector<TextEncoderSource> sources;
  for (const auto& [folder, tokenizer] : encoders_of(family_))
    sources.push_back(open_text_encoder(files_, path_, folder, tokenizer, contents));
  return sources;
}

VaeSource DiffusersFolder::read_vae(Contents contents) const {
  return open_vae_folder(files_, path_ + "/vae", contents);
}

std::vector<WeightFile> DiffusersFolder::weight_files() const {
  std::vector<std::string> paths = unet_files();
  for (const Encoder& encoder : encoders_of(family_)) {
    const auto found = find_component(files_, fmt::format("{}/{}", path_, encoder.folder), "model");
    paths.insert(paths.end(), found.begin(), found.end());
  }
  std::vector<WeightFile> files;
  for (const std::string& path : paths) files.push_back({path.substr(path_.size() + 1), path});
  return files;
}

}  // namespace leco
