#include "lora/module_names.h"

#include <algorithm>
#include <array>

#include "model/ldm_unet.h"

namespace leco {
namespace {

std::string module_of(std::string layer) {
  std::ranges::replace(layer, '.', '_');
  return "lora_unet_" + layer;
}

}  // namespace

std::string lora_file_name(const std::string& layer, const UNetConfig& unet) {
  return module_of(family_of(unet) == Family::kSdxl ? ldm_unet_name(layer, unet) : layer);
}

std::optional<std::string> stored_name(const StateDict& file, const std::string& layer,
                                       const std::string& usual) {
  for (std::string module : std::array{usual, module_of(layer)})
    if (file.contains(module + ".lora_down.weight")) return module;
  return std::nullopt;
}

}  // namespace leco
