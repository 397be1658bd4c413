// The noise levels of Stable Diffusion: scaled-linear betas 0.00085 … 0.012 over 1000 timesteps, in double.
// With a zero terminal SNR they are stretched so that the last one is pure noise: Lin et al., "Common
// Diffusion Noise Schedules and Sample Steps are Flawed", 2024, algorithm 1; diffusers'
// rescale_zero_terminal_snr.
#pragma once

#include <array>
#include <string>

namespace leco {

inline constexpr int kTrainTimesteps = 1000;

enum class Prediction {
  kEpsilon,
  kV
};  // what the U-Net predicts: the noise, or v = sqrt(ᾱ)·noise − sqrt(1 − ᾱ)·x0

constexpr const char* prediction_name(Prediction prediction) {
  return prediction == Prediction::kEpsilon ? "epsilon" : "v";
}

class NoiseSchedule {
 public:
  explicit NoiseSchedule(bool zero_terminal_snr = false);
  // ᾱ_t, the share of the signal's variance at timestep t; 1 below timestep 0, that is, without noise.
  double alpha_bar(int timestep) const { return timestep < 0 ? 1.0 : alpha_bar_[timestep]; }
  // SNR(t) = ᾱ/(1 − ᾱ), signal to noise in variance; infinite below timestep 0. With a zero terminal SNR it
  // is exactly 0 at timestep 999.
  double snr(int timestep) const { return alpha_bar(timestep) / (1.0 - alpha_bar(timestep)); }

 private:
  std::array<double, kTrainTimesteps> alpha_bar_;
};

// What scheduler/scheduler_config.json says of how a model was trained.
struct SchedulerConfig {
  Prediction prediction = Prediction::kEpsilon;
  bool zero_terminal_snr = false;  // rescale_betas_zero_snr
};

// Throws a usage error where the model was trained with a schedule that is neither of ours.
SchedulerConfig parse_scheduler_config(const std::string& json, const std::string& origin);

}  // namespace leco
