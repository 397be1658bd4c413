#include "io/weight_kind.h"

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

// The first that fits any name decides; so a whole checkpoint stands before its parts, and what a LoRA file
// holds beside plain modules before these.
constexpr auto kSigns = std::to_array<Sign>({
    {Where::kBegins, "model.diffusion_model.joint_blocks.", "a model of Stable Diffusion 3"},
    {Where::kBegins, "joint_blocks.", "a model of Stable Diffusion 3"},
    {Where::kBegins, "model.diffusion_model.double_blocks.", "a model of the Flux kind"},
    {Where::kBegins, "double_blocks.", "a model of the Flux kind"},
    {Where::kBegins, "single_transformer_blocks.", "a model of the Flux kind"},
    {Where::kBegins, "model.diffusion_model.double_layers.", "an AuraFlow model"},
    {Where::kBegins, "model.diffusion_model.down_blocks.", "a Stable Cascade model"},
    {Where::kBegins, "model.diffusion_model.blocks.", "a diffusion transformer (Wan, Cosmos, PixArt, …)"},
    {Where::kBegins, "model.diffusion_model.layers.", "a diffusion transformer (Lumina, Z-Image, …)"},
    {Where::kBegins, "model.diffusion_model.transformer_blocks.", "a diffusion transformer (Qwen, LTX, …)"},
    {Where::kBegins, "transformer_blocks.", "a diffusion transformer"},
    {Where::kBegins, "model.diffusion_model.", kWholeModel},
    {Where::kBegins, "input_blocks.", "a U-Net alone (LDM names)"},
    {Where::kEnds, ".hada_w1_a", "a LoHa (LyCORIS)"},
    {Where::kEnds, ".lokr_w1", "a LoKr (LyCORIS)"},
    {Where::kEnds, ".lokr_w1_a", "a LoKr (LyCORIS)"},
    {Where::kEnds, ".lora_mid.weight", "a LoCon in Tucker form (LyCORIS)"},
    {Where::kEnds, ".dora_scale", "a DoRA"},
    {Where::kEnds, ".lora_magnitude_vector", "a DoRA"},
    {Where::kEnds, ".lora_magnitude_vector.weight", "a DoRA"},
    {Where::kEnds, ".diff", "full weight differences (LyCORIS)"},
    {Where::kBegins, "lora_unet_", "a LoRA"},
    {Where::kBegins, "lora_te", "a LoRA of a text encoder"},
    {Where::kEnds, ".lora_A.weight", "a LoRA (PEFT)"},
    {Where::kEnds, ".lora_down.weight", "a LoRA"},
    {Where::kEnds, ".lora.down.weight", "a LoRA (Diffusers)"},
    {Where::kBegins, "motion_modules.", "an AnimateDiff motion module"},
    {Where::kBegins, "adapter.body.", "a T2I adapter"},
    {Where::kBegins, "ip_adapter.", "an IP-Adapter"},
    {Where::kBegins, "encoder.block.", "a T5 text encoder"},
    {Where::kBegins, "control_model.", "a ControlNet"},
    {Where::kBegins, "controlnet_", "a ControlNet"},
    {Where::kBegins, "down_blocks.0.", "a U-Net in Diffusers' layout"},
    {Where::kBegins, "text_model.", "a CLIP text encoder"},
    {Where::kBegins, "vision_model.", "a CLIP image encoder"},
    {Where::kBegins, "decoder.", "a VAE"},
    {Where::kBegins, "first_stage_model.", "a VAE"},
    {Where::kIs, "emb_params", "a textual inversion embedding"},
    {Where::kIs, "clip_l", "a textual inversion embedding"},
    {Where::kBegins, "optimizer", "an optimizer's state"},
});

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
