#include "diffusion/sampler.h"

#include <cmath>

#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;

// x = signal·x_0 + noise·ε, the squares adding up to 1.
struct Level {
  double signal, noise;

  double sigma() const { return noise / signal; }
  double log_snr() const { return std::log(signal / noise); }  // λ, half of the SNR's logarithm
};

Level level_of(double alpha_bar) {
  return {std::sqrt(alpha_bar), std::sqrt(1.0 - alpha_bar)};
}

// x' = clean·x̂_0 + estimate·ε̂ + x·x + fresh·z + earlier·(x̂_0 of the step before).
struct Blend {
  double clean = 0, estimate = 0, x = 0, fresh = 0, earlier = 0;
};

// Noise and picture as they are estimated, put together at the next level.
Blend ddim(const Level& next) {
  return {.clean = next.signal, .estimate = next.noise};
}

// Down to less noise than the next level has, then noise is added.
Blend euler_ancestral(const Level& now, const Level& next) {
  const double from = now.sigma(), to = next.sigma();
  const double up = to * std::sqrt(1.0 - (to / from) * (to / from));  // `from` may be infinite
  const double down = std::sqrt(to * to - up * up);
  return {.clean = next.signal, .estimate = next.signal * down, .fresh = next.signal * up};
}

// The posterior's mean, formula (7), and the smaller of its two variances.
Blend ddpm(const Level& now, const Level& next) {
  const double signal = now.signal * now.signal, next_signal = next.signal * next.signal;
  const double alpha = signal / next_signal, beta = 1.0 - alpha;
  return {.clean = std::sqrt(next_signal) * beta / (1.0 - signal),
          .x = std::sqrt(alpha) * (1.0 - next_signal) / (1.0 - signal),
          .fresh = std::sqrt((1.0 - next_signal) / (1.0 - signal) * beta)};
}

// Order 1 where `before` is null or no noise is left; else order 2, "midpoint".
Blend dpmpp_2m(const Level* before, const Level& now, const Level& next) {
  const double clean = next.signal * (1.0 - next.sigma() / now.sigma());
  Blend blend{.clean = clean, .x = next.noise / now.noise};
  if (before == nullptr || next.noise == 0) return blend;
  const double ratio =
      (now.log_snr() - before->log_snr()) / (next.log_snr() - now.log_snr());  // of the steps' lengths
  blend.clean += clean / (2.0 * ratio);
  blend.earlier = -clean / (2.0 * ratio);
  return blend;
}

Blend blend_of(SamplerKind kind, const Level* before, const Level& now, const Level& next) {
  switch (kind) {
    case SamplerKind::kDdim:
    case SamplerKind::kEuler:  // with this scaling of x the two differ in the last level alone
      return ddim(next);
    case SamplerKind::kDdpm:
      return ddpm(now, next);
    case SamplerKind::kEulerA:
      return euler_ancestral(now, next);
    case SamplerKind::kDpmpp2m:
      return dpmpp_2m(before, now, next);
  }
  return {};
}

}  // namespace

Sampler::Sampler(const SamplerSettings& settings, const NoiseSchedule& schedule) {
  const auto& [kind, steps, prediction, offset] = settings;
  LECO_ASSERT(steps >= 1 && steps <= most_sampler_steps(kind, offset));
  std::vector<Level> levels;
  for (int64_t i = 0; i < steps; ++i)
    levels.push_back(
        level_of(schedule.alpha_bar(static_cast<int>(sampler_timestep(kind, steps, i, offset)))));
  levels.push_back(level_of(kind == SamplerKind::kDdim ? schedule.alpha_bar(0) : 1.0));

  for (int64_t i = 0; i < steps; ++i) {
    const Level& now = levels[i];
    const Blend blend = blend_of(kind, i == 0 ? nullptr : &levels[i - 1], now, levels[i + 1]);
    // The picture and the noise in x, each as a sum of x and the prediction.
    const bool epsilon = prediction == Prediction::kEpsilon;
    const double clean_x = epsilon ? 1.0 / now.signal : now.signal;
    const double clean_prediction = epsilon ? -now.noise / now.signal : -now.noise;
    const double estimate_x = epsilon ? 0.0 : now.noise;
    const double estimate_prediction = epsilon ? 1.0 : now.signal;
    steps_.push_back({.timestep = sampler_timestep(kind, steps, i, offset),
                      .x = blend.x + blend.clean * clean_x + blend.estimate * estimate_x,
                      .prediction = blend.clean * clean_prediction + blend.estimate * estimate_prediction,
                      .noise = blend.fresh,
                      .earlier = blend.earlier,
                      .is_remembered = false,
                      .clean_x = clean_x,
                      .clean_prediction = clean_prediction});
    if (i > 0) steps_[i - 1].is_remembered = blend.earlier != 0;
  }
}

Tensor Sampler::advance(int64_t step, const Tensor& x, const Tensor& prediction, const Tensor& noise,
                        SamplerMemory& memory) const {
  const Step& s = steps_[step];
  Tensor next = (x * s.x).add_(prediction, s.prediction);
  if (s.noise != 0) next.add_(noise, s.noise);
  if (s.earlier != 0) next.add_(memory.clean, s.earlier);
  if (s.is_remembered) memory.clean = (x * s.clean_x).add_(prediction, s.clean_prediction);
  return next;
}

}  // namespace leco
