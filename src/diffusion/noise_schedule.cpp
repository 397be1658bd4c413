#include "diffusion/noise_schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_object.h"

namespace leco {
namespace {

constexpr double kBetaStart = 0.00085, kBetaEnd = 0.012;

}  // namespace

NoiseSchedule::NoiseSchedule(bool zero_terminal_snr) {
  double product = 1.0;
  for (int t = 0; t < kTrainTimesteps; ++t) {
    const double share = static_cast<double>(t) / (kTrainTimesteps - 1);
    const double root = std::sqrt(kBetaStart) + share * (std::sqrt(kBetaEnd) - std::sqrt(kBetaStart));
    alpha_bar_[t] = product *= 1.0 - root * root;
  }
  if (!zero_terminal_snr) return;
  const double first = std::sqrt(alpha_bar_.front()), last = std::sqrt(alpha_bar_.back());
  for (double& signal : alpha_bar_) {  // √ᾱ is shifted to end at 0 and stretched to begin where it did
    const double root = (std::sqrt(signal) - last) * (first / (first - last));
    signal = root * root;
  }
}

SchedulerConfig parse_scheduler_config(const std::string& text, const std::string& origin) {
  const nlohmann::json config = parse_json_object(text, origin);
  const auto expect = [&](const char* key, const nlohmann::json& value) {
    if (config.contains(key) && !config[key].is_null() && config[key] != value)
      throw_usage(fmt::format("{}: '{}' is {}, only models trained with {} can be trained here", origin, key,
                              shown(config[key]), value.dump()));
  };
  expect("beta_schedule", "scaled_linear");
  expect("beta_start", kBetaStart);
  expect("beta_end", kBetaEnd);
  expect("num_train_timesteps", kTrainTimesteps);
  const auto type = config.value("prediction_type", nlohmann::json("epsilon"));
  if (type != "epsilon" && type != "v_prediction")
    throw_usage(
        fmt::format("{}: 'prediction_type' is {}, known are epsilon and v_prediction", origin, shown(type)));
  const auto rescaled = config.value("rescale_betas_zero_snr", nlohmann::json(false));
  if (!rescaled.is_boolean() && !rescaled.is_null())
    throw_usage(
        fmt::format("{}: 'rescale_betas_zero_snr' is {}, expected true or false", origin, shown(rescaled)));
  return {.prediction = type == "epsilon" ? Prediction::kEpsilon : Prediction::kV,
          .zero_terminal_snr = rescaled == true};
}

}  // namespace leco
