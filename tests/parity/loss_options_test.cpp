// The loss options and the schedule with a zero terminal SNR must give the published formulas' values and, in
// whole steps, the reference trainer's (loss_options.json, made by make_loss_golden.py).
#include <fmt/format.h>

#include "diffusion/sampler.h"
#include "tests/support/golden_steps.h"
#include "tests/support/toy_model.h"
#include "train/difference_loss.h"
#include "train/loss_weight.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

constexpr double kTolerance = 1e-12;       // doubles
constexpr double kSingleTolerance = 3e-6;  // float32
constexpr int64_t kTimestepOfLosses = 416;

const json& golden() {
  static const json parsed = golden_json("loss_options.json");
  return parsed;
}

Prediction prediction_of(const json& settings) {
  return settings.value("prediction_type", "epsilon") == "epsilon" ? Prediction::kEpsilon : Prediction::kV;
}

TEST(ZeroTerminalSnr, schedule_is_that_of_diffusers_and_ends_at_exactly_zero) {
  const NoiseSchedule schedule(/*zero_terminal_snr=*/true);
  const auto expected = golden()["alpha_bar"].get<std::vector<double>>();
  for (size_t i = 0; i < golden()["timesteps"].size(); ++i)
    EXPECT_NEAR(schedule.alpha_bar(golden()["timesteps"][i]), expected[i], kTolerance);
  EXPECT_EQ(expected.back(), 0.0);
  EXPECT_EQ(schedule.alpha_bar(999), 0.0);
  EXPECT_EQ(schedule.snr(999), 0.0);
  EXPECT_NEAR(schedule.alpha_bar(0), NoiseSchedule().alpha_bar(0), kTolerance);
}

TEST(ZeroTerminalSnr, sampler_advances_as_diffusers) {
  const auto tensor = [](const json& numbers) {
    return at::tensor(numbers.get<std::vector<double>>(), torch::kFloat64).view({1, 4, 2, 2});
  };
  const auto draw = [](Purpose purpose) {
    Tensor filled = at::empty({1, 4, 2, 2}, torch::kFloat32);
    Draws(1234, {.purpose = purpose}).fill_normal({filled.data_ptr<float>(), 16});
    return filled;
  };
  const Tensor x = draw(Purpose::kInitialLatents), prediction = draw(Purpose::kNoiseOffset),
               z = draw(Purpose::kSamplerNoise);
  for (const json& row : golden()["advances"]) {
    const Sampler sampler({.kind = SamplerKind::kDdpm, .steps = row["K"], .prediction = prediction_of(row)},
                          NoiseSchedule(/*zero_terminal_snr=*/true));
    SamplerMemory memory;
    const Tensor after = sampler.advance(row["index"], x, prediction, z, memory);
    EXPECT_TRUE(is_near(
        fmt::format("ddpm, zero terminal SNR, {}, step {} of {}", row["prediction_type"].get<std::string>(),
                    row["index"].get<int>(), row["K"].get<int>()),
        after.to(torch::kFloat64), tensor(row["after"]), kSingleTolerance));
  }
}

TEST(LossOptions, weigh_timesteps_by_their_formulas) {
  for (const json& list : golden()["factors"]) {
    const LossWeight weight(settings_of(list["settings"]), prediction_of(list["settings"]));
    std::vector<double> found;
    for (const json& timestep : golden()["timesteps"]) found.push_back(weight.at(timestep));
    expect_numbers("factors of " + list["settings"].dump(), found, list["values"], 1e-9);
  }
}

TEST(LossOptions, huber_thresholds_follow_their_schedules) {
  for (const json& list : golden()["thresholds"]) {
    const DifferenceLoss loss(settings_of(list["settings"]));
    std::vector<double> found;
    for (const json& timestep : golden()["timesteps"]) found.push_back(loss.threshold(timestep));
    expect_numbers("thresholds of " + list["settings"].dump(), found, list["values"], 1e-9);
  }
}

// In float32, where sd-scripts' own form of the same formula has no digits left at the smallest of the
// differences.
TEST(LossOptions, cost_and_gradient_of_each_difference_are_those_of_the_formula) {
  const auto differences = golden()["differences"].get<std::vector<float>>();
  for (const json& row : golden()["losses"]) {
    Tensor difference = at::tensor(differences).view({-1, 1, 1, 1}).requires_grad_();
    const std::vector<int64_t> timesteps(differences.size(), kTimestepOfLosses);
    const Tensor loss = DifferenceLoss(settings_of(row["settings"]))(difference, timesteps);
    loss.sum().backward();
    for (size_t i = 0; i < differences.size(); ++i) {
      const auto at = static_cast<int64_t>(i);
      const double expected = row["loss"][i], slope = row["gradient"][i];
      EXPECT_NEAR(loss[at].item<double>(), expected, kSingleTolerance * expected) << row["settings"];
      EXPECT_NEAR(difference.grad()[at].item<double>(), slope, kSingleTolerance * std::abs(slope))
          << row["settings"];
    }
  }
}

TEST(LossOptions, takes_the_threshold_of_each_samples_timestep) {
  TrainSettings settings;
  settings.loss_type = LossType::kHuber;
  const DifferenceLoss loss(settings);
  const Tensor both = loss(at::ones({2, 1, 1, 1}), {83, 916});
  EXPECT_EQ(both[0].item<float>(), loss(at::ones({1, 1, 1, 1}), {83}).item<float>());
  EXPECT_EQ(both[1].item<float>(), loss(at::ones({1, 1, 1, 1}), {916}).item<float>());
  EXPECT_NE(both[0].item<float>(), both[1].item<float>());
}

// Each variant of loss_options.json changes the first run of another golden.
void expect_variants(const char* model_name, const json& first) {
  LocalFileSource files;
  const auto model = open_base_model(files, std::string(LECO_TEST_DATA "/") + model_name);
  const auto unet = model->load_unet({});
  const auto pairs = pairs_of(first["pairs"]);
  std::vector<std::string> prompts = {""};
  for (const PromptPair& pair : pairs)
    prompts.insert(prompts.end(), {pair.target, pair.positive, pair.unconditional, pair.neutral});
  TextSettings text;
  if (model->family() == Family::kSd2) text.kind = TextSettings::Kind::kSd2;
  const PromptEmbeddings embeddings = encode_prompts(model->open_text_encoders(), text, prompts, torch::kCPU);
  ASSERT_FALSE(golden()[model_name].empty());
  for (const json& variant : golden()[model_name])
    expect_variant(fmt::format("{}, {}", model_name, variant["name"].get<std::string>()),
                   train({*unet, embeddings, model->prediction()},
                         settings_of(first["settings"], variant["settings"]), pairs),
                   variant);
}

TEST(LossOptions, steps_of_a_model_that_predicts_noise_are_those_of_the_reference) {
  expect_variants("toy-sd", golden_json("steps.json"));
}

TEST(LossOptions, steps_of_a_model_that_predicts_v_are_those_of_the_reference) {
  expect_variants("tiny-sd2v", golden_json("sd2v_steps.json"));
}

}  // namespace
}  // namespace leco
