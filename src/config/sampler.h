// The samplers by name, and the timesteps that each visits. As in diffusers 0.35, timestep spacing "leading".
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace leco {

enum class SamplerKind { kDdim, kDdpm, kEuler, kEulerA, kDpmpp2m };

// What flags and prompt files call them: each kind's own name, then sd-scripts' other names for some.
const std::vector<std::pair<std::string, SamplerKind>>& sampler_names();
std::string sampler_name(SamplerKind kind);

// What shifts all timesteps (diffusers' steps_offset): LECO's rollouts end at timestep 0, pictures at 1.
inline constexpr int64_t kRolloutOffset = 0, kSamplingOffset = 1;

// The most steps whose timesteps differ and lie below 1000.
int64_t most_sampler_steps(SamplerKind kind, int64_t offset);

// The timestep at step `index`, 0 … steps − 1: falling, one distance apart.
int64_t sampler_timestep(SamplerKind kind, int64_t steps, int64_t index, int64_t offset = kRolloutOffset);

// Whether a step adds noise of its own.
constexpr bool draws_noise(SamplerKind kind) {
  return kind == SamplerKind::kDdpm || kind == SamplerKind::kEulerA;
}

}  // namespace leco
