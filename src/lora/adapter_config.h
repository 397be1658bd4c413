// What Diffusers and PEFT say of a LoRA beside its tensors. PEFT keeps it in adapter_config.json in the same
// folder; Diffusers, since 0.35, as the metadata "lora_adapter_metadata" of the safetensors file, the keys
// behind "unet.". Keys as PEFT's LoraConfig.
#pragma once

#include <map>
#include <optional>
#include <string>

#include "io/file_source.h"

namespace leco {

class AdapterConfig {
 public:
  AdapterConfig() = default;  // nothing is said
  // Of a JSON object; `prefix` stands before each key. Usage error, which names `origin`, for what would not
  // be plain LoRA (DoRA), and for patterns that are more than the end of a layer's name.
  AdapterConfig(const std::string& json, const std::string& prefix, const std::string& origin);

  bool says_alpha() const { return alpha_.has_value(); }
  // Of a layer by its name in Diffusers: a module adds alpha/rank times its product. Where nothing is said it
  // is the rank, by convention.
  double alpha(const std::string& layer, int64_t rank) const;

 private:
  std::optional<double> alpha_;
  std::map<std::string, double> of_layers_;  // by the end of their names
  bool by_root_ = false;                     // use_rslora: the factor is alpha/sqrt(rank)
};

// Of the LoRA file at `path`, which PEFT saved itself (`by_peft`) or Diffusers. Nothing where PEFT's
// adapter_config.json is not there. Collective, as `files` is.
std::optional<AdapterConfig> find_adapter_config(FileSource& files, const std::string& path, bool by_peft);

}  // namespace leco
