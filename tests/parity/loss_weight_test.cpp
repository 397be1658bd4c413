// How much a timestep counts must be what diffusers makes of it (loss_weight.json, made by make_golden.py).
#include "train/loss_weight.h"

#include <fmt/format.h>

#include "tests/support/golden_steps.h"

namespace leco {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-6;  // diffusers' signal to noise is float32

const json& golden() {
  static const json parsed = golden_json("loss_weight.json");
  return parsed;
}

TEST(NoiseSchedule, signal_to_noise_is_that_of_diffusers) {
  const NoiseSchedule schedule;
  std::vector<double> found;
  for (const json& timestep : golden()["timesteps"]) found.push_back(schedule.snr(timestep));
  expect_numbers("signal to noise", found, golden()["snr"], kTolerance);
}

TEST(LossWeight, of_min_snr_is_that_of_diffusers) {
  ASSERT_FALSE(golden()["factors"].empty());
  for (const json& list : golden()["factors"]) {
    TrainSettings settings;
    settings.min_snr_gamma = list["min_snr_gamma"];
    const std::string kind = list["prediction_type"];
    const LossWeight weight(settings, kind == "epsilon" ? Prediction::kEpsilon : Prediction::kV);
    std::vector<double> found;
    for (const json& timestep : golden()["timesteps"]) found.push_back(weight.at(timestep));
    expect_numbers(fmt::format("factors of min-SNR {}, {}", settings.min_snr_gamma, kind), found,
                   list["factors"], kTolerance);
  }
}

TEST(LossWeight, is_exactly_one_where_no_setting_weighs_timesteps) {
  for (const Prediction prediction : {Prediction::kEpsilon, Prediction::kV}) {
    const LossWeight weight({}, prediction);
    for (int64_t t = 0; t < kTrainTimesteps; ++t) EXPECT_EQ(weight.at(t), 1.0);
  }
}

}  // namespace
}  // namespace leco
