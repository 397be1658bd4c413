// Where a LoRA's effect is measured: M half-denoised pictures, from almost noise to almost clean, drawn by
// the base model alone (SPEC section 9).
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <vector>

#include "config/prompt_pair.h"

namespace leco {

inline constexpr int64_t kMeasureSteps = 40;                // K of the rollout (DDPM, guidance 1)
inline constexpr int64_t kMeasureDrawStep = 0xFFFF'FFFFLL;  // "step" of its draws: no training reaches it

struct MeasurePoint {
  int64_t index = 0;     // j: also the "item" of its draws
  int64_t k = 0;         // rollout steps taken: 1 + ⌊j·39/M⌋
  int64_t timestep = 0;  // t, the noise level that is then reached
};
std::vector<MeasurePoint> measure_points(int64_t samples);  // M of them

// The point's draws, on the CPU: the initial noise (1, 4, H/8, W/8), and the sampler's, (k, 1, 4, H/8, W/8).
torch::Tensor initial_noise(const MeasurePoint& point, uint64_t seed, Resolution size);
torch::Tensor sampler_noise(const MeasurePoint& point, uint64_t seed, Resolution size);

}  // namespace leco
