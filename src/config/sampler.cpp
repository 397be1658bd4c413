#include "config/sampler.h"

#include <algorithm>

namespace leco {
namespace {

constexpr int64_t kTimesteps = 1000;  // of the noise schedule

// DPM-Solver's grid has one place more, timestep `offset`, which it does not visit.
bool skips_last(SamplerKind kind) {
  return kind == SamplerKind::kDpmpp2m;
}

}  // namespace

const std::vector<std::pair<std::string, SamplerKind>>& sampler_names() {
  using enum SamplerKind;
  static const std::vector<std::pair<std::string, SamplerKind>> names = {
      {"ddim", kDdim},       {"ddpm", kDdpm},     {"euler", kEuler},      {"euler_a", kEulerA},
      {"dpm++2m", kDpmpp2m}, {"k_euler", kEuler}, {"k_euler_a", kEulerA}, {"dpmsolver++", kDpmpp2m}};
  return names;
}

std::string sampler_name(SamplerKind kind) {
  return std::ranges::find(sampler_names(), kind, &std::pair<std::string, SamplerKind>::second)->first;
}

int64_t most_sampler_steps(SamplerKind kind, int64_t offset) {
  return kTimesteps - offset - (skips_last(kind) ? 1 : 0);
}

int64_t sampler_timestep(SamplerKind kind, int64_t steps, int64_t index, int64_t offset) {
  if (skips_last(kind)) return (steps - index) * (kTimesteps / (steps + 1)) + offset;
  return (steps - 1 - index) * (kTimesteps / steps) + offset;
}

}  // namespace leco
