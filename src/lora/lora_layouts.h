// The layouts of LoRA files: in whose names a module's two matrices and its alpha stand.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace leco {

struct LoraTensorName {
  enum class Part { kDown, kUp, kAlpha };
  std::string module;  // "lora_unet_down_blocks_0_…", or dotted: "unet.down_blocks.0.…"
  Part part;
  std::string_view layout;  // whose names, for people; empty for an alpha, which all layouts call so
  bool dotted;              // of Diffusers or PEFT, not sd-scripts
};

// Nothing where the name is neither a matrix of a LoRA nor an alpha.
std::optional<LoraTensorName> lora_tensor_name(const std::string& tensor);

}  // namespace leco
