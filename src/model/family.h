#pragma once

// The families of Stable Diffusion that this program trains (SPEC section 5). The family decides what a
// prompt's embedding is made of, what conditions the U-Net besides it, and how its modules are spelled.

#include <string_view>

namespace leco {

enum class Family {
  kSd1,   // Stable Diffusion 1.x: one CLIP text encoder of width 768
  kSd2,   // Stable Diffusion 2.x: one OpenCLIP text encoder of width 1024; a head count per level
  kSdxl,  // Stable Diffusion XL: two text encoders; pooled text and six sizes added to the time embedding
};

// The family as messages name it.
constexpr std::string_view family_name(Family family) {
  switch (family) {
    case Family::kSd1:
      return "SD 1.x";
    case Family::kSd2:
      return "SD 2.x";
    case Family::kSdxl:
      return "SDXL";
  }
  return "unknown";
}

}  // namespace leco
