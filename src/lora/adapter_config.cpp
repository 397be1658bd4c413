#include "lora/adapter_config.h"

#include <fmt/format.h>

#include <cmath>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_object.h"
#include "io/safetensors.h"
#include "io/torch_checkpoint.h"

namespace leco {
namespace {

using nlohmann::json;

constexpr const char* kMetadataKey = "lora_adapter_metadata";

double number_of(const json& value, const std::string& key, const std::string& origin) {
  if (value.is_number() && std::isfinite(value.get<double>())) return value.get<double>();
  throw_usage(fmt::format("'{}': '{}' is {}, a number is expected", origin, key, shown(value)));
}

bool flag_of(const json& value, const std::string& key, const std::string& origin) {
  if (value.is_null()) return false;
  if (value.is_boolean()) return value.get<bool>();
  throw_usage(fmt::format("'{}': '{}' is {}, true or false is expected", origin, key, shown(value)));
}

// PEFT takes a key as a regular expression for the end of a layer's name, from a dot on.
bool is_plain(const std::string& key) {
  return key.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.") ==
         std::string::npos;
}

bool ends_with_parts(const std::string& layer, const std::string& end) {
  return layer == end || layer.ends_with("." + end);
}

}  // namespace

AdapterConfig::AdapterConfig(const std::string& text, const std::string& prefix, const std::string& origin) {
  const json config = parse_json_object(text, origin);
  const auto value = [&](const char* key) { return config.value(prefix + key, json()); };
  if (flag_of(value("use_dora"), prefix + "use_dora", origin))
    throw_usage(
        fmt::format("'{}': it is a DoRA, which scales what a LoRA adds; plain LoRA files are read", origin));
  by_root_ = flag_of(value("use_rslora"), prefix + "use_rslora", origin);
  if (const json alpha = value("lora_alpha"); !alpha.is_null())
    alpha_ = number_of(alpha, prefix + "lora_alpha", origin);
  const json patterns = value("alpha_pattern");
  if (patterns.is_null()) return;
  if (!patterns.is_object())
    throw_usage(fmt::format("'{}': '{}alpha_pattern' is {}, an object of numbers is expected", origin, prefix,
                            shown(patterns)));
  for (const auto& [key, alpha] : patterns.items()) {
    if (!is_plain(key))
      throw_usage(fmt::format("'{}': alpha_pattern holds the regular expression {}; names of layers are read",
                              origin, shown(json(key))));
    of_layers_[key] = number_of(alpha, key, origin);
  }
}

double AdapterConfig::alpha(const std::string& layer, int64_t rank) const {
  double alpha = alpha_.value_or(static_cast<double>(rank));
  for (const auto& [end, of_layer] : of_layers_)
    if (ends_with_parts(layer, end)) alpha = of_layer;
  return by_root_ ? alpha * std::sqrt(static_cast<double>(rank)) : alpha;
}

std::optional<AdapterConfig> find_adapter_config(FileSource& files, const std::string& path, bool by_peft) {
  if (by_peft) {
    const auto beside = (std::filesystem::path(path).parent_path() / "adapter_config.json").string();
    if (!files.exists(beside)) return std::nullopt;
    return AdapterConfig(files.read(beside), "", beside);
  }
  const std::string contents = files.read(path);
  if (weight_format(contents) != WeightFormat::kSafetensors) return AdapterConfig();
  const Metadata metadata = parse_safetensors_header(contents, contents.size(), path).metadata;
  const auto found = metadata.find(kMetadataKey);
  if (found == metadata.end()) return AdapterConfig();
  return AdapterConfig(found->second, "unet.", fmt::format("{}, metadata {}", path, kMetadataKey));
}

}  // namespace leco
