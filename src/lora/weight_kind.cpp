#include "lora/weight_kind.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace leco {
namespace {

enum class Where { kBegins, kEnds, kIs };

struct Sign {
  Where where;
  std::string_view text;
  std::string_view kind;
};

// The first that fits any name decides; so a whole checkpoint stands before its parts.
constexpr std::array<Sign, 19> kSigns = {{
    {Where::kBegins, "model.diffusion_model.", "a whole model in one file (LDM names)"},
    {Where::kBegins, "control_model.", "a ControlNet"},
    {Where::kBegins, "controlnet_", "a ControlNet"},
    {Where::kEnds, ".hada_w1_a", "a LoHa (LyCORIS)"},
    {Where::kEnds, ".lokr_w1", "a LoKr (LyCORIS)"},
    {Where::kEnds, ".lokr_w1_a", "a LoKr (LyCORIS)"},
    {Where::kEnds, ".lora_mid.weight", "a LoCon in Tucker form (LyCORIS)"},
    {Where::kEnds, ".dora_scale", "a DoRA"},
    {Where::kEnds, ".lora_magnitude_vector", "a DoRA"},
    {Where::kEnds, ".lora_magnitude_vector.weight", "a DoRA"},
    {Where::kEnds, ".diff", "full weight differences (LyCORIS)"},
    {Where::kBegins, "down_blocks.0.", "a U-Net in Diffusers' layout"},
    {Where::kBegins, "text_model.", "a CLIP text encoder"},
    {Where::kBegins, "vision_model.", "a CLIP image encoder"},
    {Where::kBegins, "decoder.mid", "a VAE"},
    {Where::kBegins, "first_stage_model.", "a VAE"},
    {Where::kIs, "emb_params", "a textual inversion embedding"},
    {Where::kIs, "clip_l", "a textual inversion embedding"},
    {Where::kBegins, "optimizer", "an optimizer's state"},
}};

bool fits(const Sign& sign, std::string_view name) {
  switch (sign.where) {
    case Where::kBegins:
      return name.starts_with(sign.text);
    case Where::kEnds:
      return name.ends_with(sign.text);
    case Where::kIs:
      return name == sign.text;
  }
  return false;
}

}  // namespace

std::string recognise_weights(std::span<const std::string> names) {
  const auto found = std::ranges::find_if(kSigns, [&](const Sign& sign) {
    return std::ranges::any_of(names, [&](const std::string& name) { return fits(sign, name); });
  });
  return found == kSigns.end() ? "" : std::string(found->kind);
}

}  // namespace leco
