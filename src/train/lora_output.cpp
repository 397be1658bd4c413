#include "train/lora_output.h"

#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/error.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "io/digest.h"
#include "io/torch_checkpoint_write.h"
#include "lora/lora_file.h"
#include "train/pairs_json.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

constexpr size_t kPreviewPairs = 16;  // as sd-scripts

std::string object_json(const std::vector<std::pair<std::string, std::string>>& entries) {
  ordered_json object = ordered_json::object();
  for (const auto& [key, value] : entries) object[key] = value;
  return object.dump();
}

// {"conv_dim": "4"} of "conv_dim=4", as sd-scripts keeps its network_args.
std::string arguments_json(const std::string& words) {
  std::istringstream all(words);
  std::vector<std::pair<std::string, std::string>> entries;
  for (std::string word; all >> word;) {
    const size_t equals = word.find('=');
    entries.emplace_back(word.substr(0, equals), word.substr(equals + 1));
  }
  return object_json(entries);
}

torch::ScalarType dtype_of(SavePrecision precision) {
  switch (precision) {
    case SavePrecision::kFloat32:
      return torch::kFloat32;
    case SavePrecision::kFloat16:
      return torch::kFloat16;
    case SavePrecision::kBFloat16:
      return torch::kBFloat16;
  }
  return torch::kFloat32;
}

const char* file_ending(SaveFormat format) {
  switch (format) {
    case SaveFormat::kSafetensors:
      return ".safetensors";
    case SaveFormat::kCkpt:
      return ".ckpt";
    case SaveFormat::kPt:
      return ".pt";
  }
  return ".safetensors";
}

// The modules' common value as text, or "Dynamic", as sd-scripts' tools call differing ones.
template <class Value>
std::string common_value(const LoraNetwork& network, Value LoraModule::Site::*member) {
  std::set<Value> values;
  for (const auto& module : network.modules())
    if (module->site().layer->shape().kernel == 1) values.insert(module->site().*member);
  return values.size() == 1 ? fmt::format("{}", *values.begin()) : "Dynamic";
}

// As sd-scripts names them.
std::string base_model_version(const Provenance& from) {
  if (from.family == Family::kSdxl) return "sdxl_base_v1-0";
  const std::string version = from.family == Family::kSd2 ? "sd_v2" : "sd_v1";
  return from.prediction == Prediction::kV ? version + "_v" : version;
}

// As Stability's ModelSpec names them.
std::string architecture(const Provenance& from) {
  if (from.family == Family::kSdxl) return "stable-diffusion-xl-v1-base/lora";
  if (from.family == Family::kSd1) return "stable-diffusion-v1/lora";
  return from.prediction == Prediction::kV ? "stable-diffusion-v2-768-v/lora"
                                           : "stable-diffusion-v2-512/lora";
}

// Which code's spelling the file's keys follow.
std::string implementation(const Provenance& from) {
  return from.family == Family::kSdxl ? "https://github.com/Stability-AI/generative-models" : "diffusers";
}

void add_sd_scripts_keys(Metadata& metadata, const Provenance& from, int64_t finished_steps) {
  const TrainSettings& settings = from.settings;
  metadata["ss_network_module"] = "networks.lora";
  for (const auto& [name, value] : from.effective)
    if (name == "network_args" && !value.empty()) metadata["ss_network_args"] = arguments_json(value);
  metadata["ss_leco_prompt_count"] = std::to_string(from.pairs.size());
  metadata["ss_leco_prompts_file"] = from.prompts_name;
  metadata["ss_leco_preview"] = pairs_json(from.pairs, kPreviewPairs);
  metadata["ss_base_model_version"] = base_model_version(from);
  metadata["ss_seed"] = std::to_string(*settings.seed);
  metadata["ss_steps"] = std::to_string(finished_steps);
  metadata["ss_learning_rate"] = fmt::format("{}", settings.base_lr());
  metadata["ss_optimizer"] = optimizer_text(settings.optimizer);
  if (!settings.training_comment.empty()) metadata["ss_training_comment"] = settings.training_comment;
}

void add_modelspec_keys(Metadata& metadata, const Provenance& from) {
  const PromptPair& first = from.pairs.front();
  metadata["modelspec.sai_model_spec"] = "1.0.0";
  metadata["modelspec.architecture"] = architecture(from);
  metadata["modelspec.implementation"] = implementation(from);
  metadata["modelspec.title"] = fmt::format("LECO of '{}'", first.target);
  metadata["modelspec.resolution"] = fmt::format("{}x{}", first.resolution.width, first.resolution.height);
  metadata["modelspec.prediction_type"] = from.prediction == Prediction::kEpsilon ? "epsilon" : "v";
}

// Checksums by which A1111's extensions know a file: of the data section, and of 64 KiB at 1 MiB, both taken
// of a file that carries the ss_ keys only.
void add_hashes(Metadata& metadata, const NamedTensors& tensors) {
  Metadata immutable;
  for (const auto& [key, value] : metadata)
    if (key.starts_with("ss_")) immutable[key] = value;
  const std::string bytes = safetensors_bytes(tensors, immutable);
  const auto data_begin = parse_safetensors_header(bytes, bytes.size(), "the LoRA").data_begin;
  const std::string_view view = bytes;
  metadata["sshs_model_hash"] = sha256(view.substr(data_begin));
  metadata["sshs_legacy_hash"] =
      sha256(view.substr(std::min<size_t>(0x100000, view.size()), 0x10000)).substr(0, 8);
}

// A file with infinities would load everywhere and spoil every picture.
void check_finite(const NamedTensors& tensors, SavePrecision precision, int64_t finished_steps) {
  for (const auto& [name, tensor] : tensors) {
    if (tensor.isfinite().all().item<bool>()) continue;
    throw Error(fmt::format(
        "after step {} '{}' holds numbers beyond {}, so nothing is saved; a lower --learning_rate{} usually "
        "helps, and the files saved before stay",
        finished_steps, name, c10::toString(tensor.scalar_type()),
        precision == SavePrecision::kFloat16 ? " or --save_precision=float" : ""));
  }
}

}  // namespace

std::string lora_path(const TrainSettings& settings, int64_t finished_steps) {
  const bool last = finished_steps >= settings.max_train_steps;
  const std::string name =
      last ? settings.output_name : fmt::format("{}-step{:08}", settings.output_name, finished_steps);
  return (std::filesystem::path(settings.output_dir) / (name + file_ending(settings.save_model_as))).string();
}

Metadata lora_metadata(const LoraNetwork& network, const Provenance& from, int64_t finished_steps) {
  Metadata metadata;
  if (from.settings.no_metadata) return metadata;
  add_sd_scripts_keys(metadata, from, finished_steps);
  metadata["ss_network_dim"] = common_value(network, &LoraModule::Site::rank);
  metadata["ss_network_alpha"] = common_value(network, &LoraModule::Site::alpha);
  add_modelspec_keys(metadata, from);
  metadata["leco_version"] = kVersion;
  metadata["leco_settings"] = object_json(from.effective);
  metadata["leco_pairs"] = pairs_json(from.pairs);
  metadata["leco_base_model"] = object_json(from.model_files);
  metadata["leco_device"] = from.device;
  return metadata;
}

std::string save_lora(const LoraNetwork& network, const Provenance& provenance, int64_t finished_steps) {
  const NamedTensors tensors = lora_tensors(network, dtype_of(provenance.settings.save_precision));
  check_finite(tensors, provenance.settings.save_precision, finished_steps);
  const std::string path = lora_path(provenance.settings, finished_steps);
  if (provenance.settings.save_model_as != SaveFormat::kSafetensors) {
    write_file_atomically(path, torch_checkpoint_bytes(tensors));
    return path;
  }
  Metadata metadata = lora_metadata(network, provenance, finished_steps);
  if (!metadata.empty()) add_hashes(metadata, tensors);
  write_file_atomically(path, safetensors_bytes(tensors, metadata));
  return path;
}

}  // namespace leco
