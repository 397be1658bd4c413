#include "diffusion/ddpm.h"

#include <algorithm>
#include <cmath>

namespace leco {

DdpmSampler::DdpmSampler(int64_t inference_steps, Prediction prediction, const NoiseSchedule& schedule) {
  const int64_t spacing = kTrainTimesteps / inference_steps;
  for (int64_t i = 0; i < inference_steps; ++i) {
    const int64_t t = (inference_steps - 1 - i) * spacing;
    const double signal = schedule.alpha_bar(static_cast<int>(t));
    const double next_signal = schedule.alpha_bar(static_cast<int>(t - spacing));
    const double alpha = signal / next_signal, beta = 1.0 - alpha;
    // The posterior mean of x at the next level, formula (7): a combination of x0 and x.
    const double x0_weight = std::sqrt(next_signal) * beta / (1.0 - signal);
    const double direct_weight = std::sqrt(alpha) * (1.0 - next_signal) / (1.0 - signal);
    // x0 = x_part·x + prediction_part·prediction.
    const bool epsilon = prediction == Prediction::kEpsilon;
    const double x_part = epsilon ? 1.0 / std::sqrt(signal) : std::sqrt(signal);
    const double prediction_part =
        epsilon ? -std::sqrt(1.0 - signal) / std::sqrt(signal) : -std::sqrt(1.0 - signal);
    const double variance = std::max((1.0 - next_signal) / (1.0 - signal) * beta, 1e-20);
    steps_.push_back({.timestep = t,
                      .x_weight = direct_weight + x0_weight * x_part,
                      .prediction_weight = x0_weight * prediction_part,
                      .noise_weight = t > 0 ? std::sqrt(variance) : 0.0});
  }
}

torch::Tensor DdpmSampler::advance(int64_t step, const torch::Tensor& x, const torch::Tensor& prediction,
                                   const torch::Tensor& noise) const {
  const Step& s = steps_[step];
  return (x * s.x_weight).add_(prediction, s.prediction_weight).add_(noise, s.noise_weight);
}

}  // namespace leco
