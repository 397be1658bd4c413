#include "pipeline/file_parts.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "model/ldm_unet.h"

namespace leco {
namespace {

struct Sign {
  std::string_view begin;
  PartKind kind;
};

constexpr auto kSigns = std::to_array<Sign>({
    {kLdmUNetPrefix, PartKind::kUNet},
    {"cond_stage_model.", PartKind::kText},
    {"conditioner.", PartKind::kText},
    {"first_stage_model.", PartKind::kVae},
    {"model_ema.", PartKind::kEma},
    {"betas", PartKind::kSchedule},
    {"alphas_cumprod", PartKind::kSchedule},  // and alphas_cumprod_prev
    {"sqrt_", PartKind::kSchedule},
    {"log_one_minus_alphas_cumprod", PartKind::kSchedule},
    {"posterior_", PartKind::kSchedule},
    {"lvlb_weights", PartKind::kSchedule},
    {"logvar", PartKind::kSchedule},
    {"scale_factor", PartKind::kSchedule},
    {"denoiser.", PartKind::kSchedule},
    {"global_step", PartKind::kSchedule},
    {"model.betas", PartKind::kSchedule},
    {"model.alphas_cumprod", PartKind::kSchedule},
    {"model_sampling.", PartKind::kSchedule},
    {"v_pred",
     PartKind::kSchedule},  // of no elements: they say what the model predicts, and of which schedule
    {"ztsnr", PartKind::kSchedule},
});

constexpr auto kWhat =
    std::to_array<std::string_view>({"U-Net", "text encoder", "VAE", "EMA copy", "schedule", "unknown"});

}  // namespace

PartKind part_kind(const std::string& name) {
  const auto found =
      std::ranges::find_if(kSigns, [&](const Sign& sign) { return name.starts_with(sign.begin); });
  return found == kSigns.end() ? PartKind::kUnknown : found->kind;
}

std::vector<FilePart> parts_of(const StateDict& outline) {
  std::vector<FilePart> parts;
  for (size_t i = 0; i < kWhat.size(); ++i)
    parts.push_back({.kind = static_cast<PartKind>(i), .what = std::string(kWhat[i])});
  for (const std::string& name : outline.left()) {
    FilePart& part = parts[static_cast<size_t>(part_kind(name))];
    part.names.push_back(name);
    part.numbers += c10::multiply_integers(outline.find(name)->shape);
  }
  std::erase_if(parts, [](const FilePart& part) { return part.names.empty(); });
  return parts;
}

}  // namespace leco
