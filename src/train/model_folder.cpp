#include "train/model_folder.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

constexpr const char* kUNetWeights = "unet/diffusion_pytorch_model.safetensors";

struct Encoder {
  const char* folder;
  const char* tokenizer;
};

std::vector<Encoder> encoders_of(Family family) {
  if (family == Family::kSdxl) return {{"text_encoder", "tokenizer"}, {"text_encoder_2", "tokenizer_2"}};
  return {{"text_encoder", "tokenizer"}};
}

}  // namespace

ModelFolder::ModelFolder(FileSource& files, std::string path, ModelClaims claims)
    : files_(files), path_(std::move(path)) {
  if (!files_.exists(path_))
    throw_usage(fmt::format("no such model: '{}' (a folder in Diffusers' layout is expected)", path_));
  const std::string config = path_ + "/unet/config.json";
  if (!files_.exists(config))
    throw_usage(
        fmt::format("'{}' is no model folder in Diffusers' layout: it has no unet/config.json (single files "
                    "and .ckpt are not in this version)",
                    path_));
  unet_config_ = parse_unet_config(files_.read(config), config);
  family_ = family_of(unet_config_);
  if (claims.v2 && family_ != Family::kSd2)
    throw_usage(fmt::format("--v2: '{}' is an {} model; leave the flag out", path_, family_name(family_)));
  prediction_ = read_prediction(claims);
}

Prediction ModelFolder::read_prediction(ModelClaims claims) const {
  const Prediction claimed = claims.v_parameterization ? Prediction::kV : Prediction::kEpsilon;
  const std::string scheduler = path_ + "/scheduler/scheduler_config.json";
  if (!files_.exists(scheduler)) {
    log::warning(fmt::format(
        "'{}' has no scheduler/scheduler_config.json; taken as a model of {} prediction (as {} "
        "--v_parameterization says)",
        path_, prediction_name(claimed), claims.v_parameterization ? "the given" : "the missing"));
    return claimed;
  }
  const Prediction read = parse_prediction(files_.read(scheduler), scheduler);
  if (claims.v_parameterization && read != Prediction::kV)
    throw_usage(fmt::format("--v_parameterization: {} says {} prediction; leave the flag out", scheduler,
                            prediction_name(read)));
  return read;
}

std::string ModelFolder::description() const {
  return fmt::format("{}, {} prediction", family_name(family_), prediction_name(prediction_));
}

std::unique_ptr<UNet> ModelFolder::load_unet(Placement placement) const {
  const std::string file = path_ + "/" + kUNetWeights;
  if (!files_.exists(file))
    throw_usage(fmt::format(
        "no such file: '{}' (weights are read from safetensors; a model that carries only .bin files "
        "can be saved again by Diffusers with safe_serialization=True)",
        file));
  const bool is_outline = placement.device.is_meta();
  StateDict weights = is_outline ? files_.open_outline(file) : files_.open_safetensors(file);
  auto unet = std::make_unique<UNet>(unet_config_, weights, placement);
  if (const auto left = weights.left(); !left.empty() && !is_outline)
    log::warning(fmt::format("'{}' holds {} tensors that the U-Net does not use: {}{}", file, left.size(),
                             left[0], left.size() > 1 ? ", …" : ""));
  return unet;
}

std::vector<TextEncoderSource> ModelFolder::open_text_encoders() const {
  std::vector<TextEncoderSource> sources;
  int64_t width = 0;
  for (const auto& [folder, tokenizer] : encoders_of(family_)) {
    sources.push_back(open_text_encoder(files_, path_, folder, tokenizer));
    width += sources.back().config.hidden_size;
  }
  const auto expect = [&](const char* what, int64_t given, int64_t wanted) {
    if (given != wanted)
      throw_usage(fmt::format(
          "'{}': the text encoders give {} {} features and the U-Net takes {}; they do not belong together",
          path_, given, what, wanted));
  };
  expect("text", width, unet_config_.cross_attention_dim);
  if (unet_config_.added_embedding)
    expect("pooled", sources.back().config.projection_dim, unet_config_.added_embedding->pooled_features());
  return sources;
}

std::vector<std::string> ModelFolder::weight_files() const {
  std::vector<std::string> files = {kUNetWeights};
  for (const Encoder& encoder : encoders_of(family_))
    files.push_back(fmt::format("{}/model.safetensors", encoder.folder));
  return files;
}

}  // namespace leco
