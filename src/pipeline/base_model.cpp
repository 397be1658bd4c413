#include "pipeline/base_model.h"

#include <fmt/format.h>

#include "core/error.h"
#include "core/log.h"
#include "pipeline/diffusers_folder.h"
#include "pipeline/single_file.h"

namespace leco {
namespace {

void warn_of_left_over(const StateDict& weights, const char* part) {
  const auto left = weights.left();
  if (left.empty()) return;
  log::notice(fmt::format("'{}' holds {} tensors that the {} does not use: {}{}", weights.origin(),
                          left.size(), part, left[0], left.size() > 1 ? ", …" : ""));
}

}  // namespace

std::unique_ptr<BaseModel> open_base_model(FileSource& files, const std::string& path,
                                           const ModelClaims& claims) {
  if (!files.exists(path)) {
    throw_usage(fmt::format(
        "no such model: '{}' (a folder in Diffusers' layout, a .safetensors or a .ckpt file)", path));
  }
  if (files.is_folder(path)) return std::make_unique<DiffusersFolder>(files, path, claims);
  return std::make_unique<SingleFile>(files, path, claims);
}

std::string BaseModel::description() const {
  return fmt::format("{}, {} prediction ({}), {}", family_name(family_), prediction_name(prediction()),
                     prediction_source_, form());
}

void BaseModel::set_unet(UNetConfig config, const ModelClaims& claims) {
  unet_config_ = std::move(config);
  family_ = family_of(unet_config_);
  if (claims.v2 && family_ != Family::kSd2) {
    throw_usage(fmt::format("--v2: '{}' is an {} model; leave the flag out", path_, family_name(family_)));
  }
}

std::unique_ptr<UNet> BaseModel::load_unet(Placement placement) const {
  const bool is_outline = placement.device.is_meta();
  StateDict weights = open_unet(is_outline ? Contents::kOutline : Contents::kWeights);
  auto unet = std::make_unique<UNet>(unet_config_, weights, placement);
  if (!is_outline) warn_of_left_over(weights, "U-Net");
  return unet;
}

VaeSource BaseModel::open_vae(const std::string& other, Contents contents) const {
  if (!other.empty()) return leco::open_vae(files_, other, family_, contents);
  if (!has_vae()) {
    throw_usage(fmt::format(
        "'{}' has no VAE, which draws the pictures; give one with --vae (a folder or a file)", path_));
  }
  return read_vae(contents);
}

std::unique_ptr<Vae> BaseModel::load_vae(torch::Device device, const std::string& other) const {
  VaeSource source = open_vae(other);
  auto vae = std::make_unique<Vae>(source.config, source.weights, device);
  warn_of_left_over(source.weights, "VAE");
  return vae;
}

std::vector<TextEncoderSource> BaseModel::open_text_encoders(Contents contents) const {
  std::vector<TextEncoderSource> sources = read_text_encoders(contents);
  int64_t width = 0;
  for (const TextEncoderSource& source : sources) width += source.config.hidden_size;
  const auto expect = [&](const char* what, int64_t given, int64_t wanted) {
    if (given == wanted) return;
    throw_usage(fmt::format(
        "'{}': the text encoders give {} {} features and the U-Net takes {}; they do not belong together",
        path_, given, what, wanted));
  };
  expect("text", width, unet_config_.cross_attention_dim);
  if (const auto& added = unet_config_.added_embedding)
    expect("pooled", sources.back().config.projection_dim, added->pooled_features());
  return sources;
}

}  // namespace leco
