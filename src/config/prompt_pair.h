// What is trained: one entry of a prompt file after defaults, expansion and checks.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace leco {

enum class Action { kErase, kEnhance };

struct Resolution {
  int64_t height = 512;  // pixels, multiples of 8
  int64_t width = 512;
  bool operator==(const Resolution&) const = default;
};

struct PromptPair {
  std::string target = {};         // the prompt whose prediction the LoRA changes
  std::string positive = {};       // with unconditional: the ends of the direction
  std::string unconditional = {};  // also the negative prompt of the rollout's guidance
  std::string neutral = {};        // where the goal starts from
  Action action = Action::kErase;
  double guidance_scale = 1.0;  // g: how far the goal lies along the direction
  Resolution resolution = {};   // with dynamic_resolution: the upper end of what is drawn
  bool dynamic_resolution =
      false;                   // height and width drawn from multiples of 64 in [resolution/2, resolution]
  bool dynamic_crops = false;  // SDXL: the size conditioning is drawn
  int64_t batch_size = 1;      // B: latent samples an item
  double multiplier = 1.0;     // m: the LoRA's strength while it is trained
  double weight = 1.0;         // w: factor of the loss
};

}  // namespace leco
