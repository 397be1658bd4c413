#include "lora/lora_layouts.h"

#include <array>

namespace leco {
namespace {

struct Layout {
  std::string_view down, up, name;  // endings of the two matrices
  bool dotted = true;
};
constexpr std::array<Layout, 5> kLayouts = {{
    {".lora_down.weight", ".lora_up.weight", "sd-scripts' layout", false},
    {".lora_A.weight", ".lora_B.weight", "PEFT's layout (dotted names, lora_A and lora_B)"},
    {".lora_A.default.weight", ".lora_B.default.weight", "PEFT's layout (dotted names, lora_A and lora_B)"},
    {".lora.down.weight", ".lora.up.weight", "Diffusers' own layout (dotted names)"},
    {"_lora.down.weight", "_lora.up.weight", "Diffusers' old layout of attention processors"},
}};
constexpr std::string_view kAlphaEnding = ".alpha";

}  // namespace

std::optional<LoraTensorName> lora_tensor_name(const std::string& tensor) {
  using enum LoraTensorName::Part;
  const auto before = [&](std::string_view ending) {
    return tensor.substr(0, tensor.size() - ending.size());
  };
  for (const Layout& layout : kLayouts) {
    if (tensor.ends_with(layout.down)) return {{before(layout.down), kDown, layout.name, layout.dotted}};
    if (tensor.ends_with(layout.up)) return {{before(layout.up), kUp, layout.name, layout.dotted}};
  }
  if (!tensor.ends_with(kAlphaEnding)) return std::nullopt;
  const std::string module = before(kAlphaEnding);
  return {{module, kAlpha, {}, module.find('.') != std::string::npos}};
}

}  // namespace leco
