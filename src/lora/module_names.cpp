#include "lora/module_names.h"

#include <algorithm>

#include "model/ldm_unet.h"

namespace leco {

std::string lora_file_name(const std::string& layer, const UNetConfig& unet) {
  std::string name = "lora_unet_" + (family_of(unet) == Family::kSdxl ? ldm_unet_name(layer, unet) : layer);
  std::ranges::replace(name, '.', '_');
  return name;
}

}  // namespace leco
