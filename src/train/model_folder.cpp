#include "train/model_folder.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

constexpr const char* kUNetWeights = "unet/diffusion_pytorch_model.safetensors";
constexpr const char* kTextWeights = "text_encoder/model.safetensors";

}  // namespace

ModelFolder::ModelFolder(FileSource& files, std::string path) : files_(files), path_(std::move(path)) {
  if (!files_.exists(path_))
    throw_usage(fmt::format("no such model: '{}' (a folder in Diffusers' layout is expected)", path_));
  const std::string config = path_ + "/unet/config.json";
  if (!files_.exists(config))
    throw_usage(
        fmt::format("'{}' is no model folder in Diffusers' layout: it has no unet/config.json (single files, "
                    ".ckpt and hub ids are not in this version)",
                    path_));
  if (files_.exists(path_ + "/text_encoder_2/config.json"))
    throw_usage(fmt::format("'{}' is an SDXL model; this version trains SD 1.x", path_));
  unet_config_ = parse_unet_config(files_.read(config), config);
  if (unet_config_.use_linear_projection)
    throw_usage(
        fmt::format("'{}' is an SD 2.x model (use_linear_projection); this version trains SD 1.x", path_));

  const std::string scheduler = path_ + "/scheduler/scheduler_config.json";
  if (files_.exists(scheduler))
    prediction_ = parse_prediction(files_.read(scheduler), scheduler);
  else
    log::warning(fmt::format(
        "'{}' has no scheduler/scheduler_config.json; taken as an epsilon-prediction model", path_));
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

std::vector<std::string> ModelFolder::weight_files() const {
  return {kUNetWeights, kTextWeights};
}

}  // namespace leco
