#include "diffusion/noise_schedule.h"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/error.h"

namespace leco {
namespace {

constexpr double kBetaStart = 0.00085, kBetaEnd = 0.012;

}  // namespace

NoiseSchedule::NoiseSchedule() {
  double product = 1.0;
  for (int t = 0; t < kTrainTimesteps; ++t) {
    const double share = static_cast<double>(t) / (kTrainTimesteps - 1);
    const double root = std::sqrt(kBetaStart) + share * (std::sqrt(kBetaEnd) - std::sqrt(kBetaStart));
    alpha_bar_[t] = product *= 1.0 - root * root;
  }
}

Prediction parse_prediction(const std::string& text, const std::string& origin) {
  const auto config = nlohmann::json::parse(text, nullptr, /*allow_exceptions=*/false);
  if (!config.is_object()) throw_usage(origin + ": not a JSON object");
  const auto expect = [&](const char* key, const nlohmann::json& value) {
    if (config.contains(key) && !config[key].is_null() && config[key] != value)
      throw_usage(fmt::format("{}: '{}' is {}, only models trained with {} can be trained here", origin, key,
                              config[key].dump(), value.dump()));
  };
  expect("beta_schedule", "scaled_linear");
  expect("beta_start", kBetaStart);
  expect("beta_end", kBetaEnd);
  expect("num_train_timesteps", kTrainTimesteps);
  expect("rescale_betas_zero_snr", false);
  const auto type = config.value("prediction_type", nlohmann::json("epsilon"));
  if (type == "epsilon") return Prediction::kEpsilon;
  if (type == "v_prediction") return Prediction::kV;
  throw_usage(
      fmt::format("{}: 'prediction_type' is {}, known are epsilon and v_prediction", origin, type.dump()));
}

}  // namespace leco
