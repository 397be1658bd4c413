#include "pipeline/single_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <span>

#include "core/error.h"
#include "io/weight_kind.h"
#include "model/ldm_unet.h"
#include "text/clip_tokenizer.h"
#include "text/stored_encoders.h"

namespace leco {
namespace {

constexpr std::string_view kClip = "cond_stage_model.transformer.";
constexpr std::string_view kOpenClip = "cond_stage_model.model.";
constexpr std::string_view kSdxlClip = "conditioner.embedders.0.transformer.";
constexpr std::string_view kSdxlOpenClip = "conditioner.embedders.1.model.";

bool has_any(const StateDict& file, std::string_view prefix) {
  for (const std::string& name : file.left())
    if (name.starts_with(prefix)) return true;
  return false;
}

void refuse_other_files(const StateDict& file) {
  const std::vector<std::string> names = file.left();
  const std::string kind = recognise_weights(names);
  const bool is_whole = has_any(file, kLdmUNetPrefix) && kind == kWholeModel;
  if (!is_whole) {
    throw_usage(fmt::format("'{}' is no model of SD 1.x, SD 2.x or SDXL in one file but {}", file.origin(),
                            kind.empty() ? fmt::format("a file of {} tensors, the first '{}'", names.size(),
                                                       names.empty() ? "" : names.front())
                                         : kind));
  }
}

// Whose text encoders the file has; it must be the U-Net's family.
void check_text_encoders(const StateDict& file, Family family) {
  const auto has = [&](std::string_view prefix) { return has_any(file, prefix); };
  const std::string_view needed = family == Family::kSd1   ? kClip
                                  : family == Family::kSd2 ? kOpenClip
                                                           : kSdxlOpenClip;
  if (family == Family::kSdxl && !has(needed) && has("conditioner.embedders.0.model."))
    throw_usage(fmt::format("'{}' is the SDXL refiner, which only finishes pictures; give the base model",
                            file.origin()));
  if (family == Family::kSdxl && has("cond_stage_model."))
    throw_usage(
        fmt::format("'{}' is an unCLIP model of SD 2.x, which needs a picture; give a "
                    "text-to-image model",
                    file.origin()));
  if (!has(needed))
    throw_usage(fmt::format(
        "'{}' has the U-Net of an {} model but not its text encoder (no tensor '{}…'), which training needs; "
        "give a file that holds both, or a Diffusers folder",
        file.origin(), family_name(family), needed));
}

}  // namespace

SingleFile::SingleFile(FileSource& files, const std::string& path, const ModelClaims& claims)
    : BaseModel(files, path), tokenizer_folder_(claims.tokenizer_folder) {
  const StateDict outline = files_.open_outline(path_);
  refuse_other_files(outline);
  set_unet(read_ldm_unet_config(outline), claims);
  check_text_encoders(outline, family_);
  parts_ = parts_of(outline);
  if (const FilePart& last = parts_.back(); last.kind == PartKind::kUnknown) {
    constexpr size_t kShown = 8;
    const std::span shown(last.names.data(), std::min(kShown, last.names.size()));
    notices_.push_back(
        fmt::format("'{}' holds {} tensors that belong to no part of an {} model and are not "
                    "used: {}{}",
                    path_, last.names.size(), family_name(family_), fmt::join(shown, ", "),
                    last.names.size() > kShown ? ", …" : ""));
  }
  scheduler_ = {.prediction = read_prediction(outline, claims),
                .zero_terminal_snr = outline.contains("ztsnr")};
}

// No file of this kind has a field for it. Some that predict v hold an empty tensor of that name, as those of
// a zero terminal SNR hold one named ztsnr.
Prediction SingleFile::read_prediction(const StateDict& outline, const ModelClaims& claims) {
  prediction_source_ = outline.contains("v_pred") ? "by its tensor 'v_pred'" : "by --v_parameterization";
  if (outline.contains("v_pred") || claims.v_parameterization) return Prediction::kV;
  prediction_source_ = "the file does not say it";
  if (family_ == Family::kSd2 && looks_like_v()) {
    notices_.push_back(fmt::format(
        "'{}' looks like an SD 2.x model of v-prediction (768 pixels), and nothing in it says so; it is "
        "taken as one of epsilon prediction. If it predicts v, add --v_parameterization",
        path_));
  }
  return Prediction::kEpsilon;
}

// The mark by which A1111 and ComfyUI, too, know Stability's 768-v models: biases that training on v left
// wide.
bool SingleFile::looks_like_v() const {
  const std::string name = std::string(kLdmUNetPrefix) + "output_blocks.11.1.transformer_blocks.0.norm1.bias";
  StateDict file = files_.open_weights(path_);
  const TensorInfo* info = file.find(name);
  if (info == nullptr) return false;
  constexpr double kWidestOfEpsilon = 0.09;
  return file.take_weight(name, info->shape).to(torch::kFloat64).std().item<double>() > kWidestOfEpsilon;
}

StateDict SingleFile::open_unet(Contents contents) const {
  StateDict file = files_.open(path_, contents);
  file.keep([](const std::string& name) { return part_kind(name) == PartKind::kUNet; });
  file.spell([config = unet_config_](const std::string& name) {
    return StoredAs{std::string(kLdmUNetPrefix) + ldm_unet_name(name, config)};
  });
  return file;
}

bool SingleFile::has_vae() const {
  return std::ranges::any_of(parts_, [](const FilePart& part) { return part.kind == PartKind::kVae; });
}

VaeSource SingleFile::read_vae(Contents contents) const {
  return open_vae_file(files_, path_, family_, contents);
}

// As sd-scripts calls it in its --tokenizer_cache_dir.
std::string SingleFile::tokenizer_name(size_t encoder) const {
  if (family_ == Family::kSd2) return "stabilityai_stable-diffusion-2";
  return encoder == 0 ? "openai_clip-vit-large-patch14" : "laion_CLIP-ViT-bigG-14-laion2B-39B-b160k";
}

TokenizerFiles SingleFile::tokenizer_of(size_t encoder) const {
  if (tokenizer_folder_.empty())
    return clip_tokenizer(/*pads_with_zero=*/family_ == Family::kSd2 || encoder == 1);
  TokenizerFiles texts = read_tokenizer_folder(files_, tokenizer_folder_ + "/" + tokenizer_name(encoder));
  if (encoder == 1) texts.pad_id = 0;  // as sd-scripts does with that tokenizer
  return texts;
}

std::vector<WeightFile> SingleFile::weight_files() const {
  std::vector<WeightFile> files = {{"single file", path_}};
  if (tokenizer_folder_.empty()) return files;
  for (size_t i = 0; i < (family_ == Family::kSdxl ? 2 : 1); ++i) {
    for (const char* text : {"vocab.json", "merges.txt"}) {
      const std::string name = tokenizer_name(i) + "/" + text;
      files.push_back({name, tokenizer_folder_ + "/" + name});
    }
  }
  return files;
}

std::vector<TextEncoderSource> SingleFile::read_text_encoders(Contents contents) const {
  std::vector<StoredEncoder> stored;
  const auto file = [&] { return files_.open(path_, contents); };
  if (family_ == Family::kSd1) {
    stored.push_back(stored_clip(file(), std::string(kClip)));
  } else if (family_ == Family::kSd2) {
    stored.push_back(stored_open_clip(file(), std::string(kOpenClip), /*stops_early=*/true));
  } else {
    stored.push_back(stored_clip(file(), std::string(kSdxlClip)));
    stored.push_back(stored_open_clip(file(), std::string(kSdxlOpenClip), /*stops_early=*/false));
  }
  std::vector<TextEncoderSource> sources;
  for (size_t i = 0; i < stored.size(); ++i)
    sources.push_back({stored[i].config, std::move(stored[i].weights), tokenizer_of(i)});
  return sources;
}

}  // namespace leco
