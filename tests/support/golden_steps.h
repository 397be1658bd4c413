// Training runs beside those of the reference trainer: goldens …steps.json and …steps_lora.safetensors, made
// by make_golden.py and make_family_golden.py.
#pragma once

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "tests/support/golden.h"
#include "train/trainer.h"

namespace leco {

// All relative: each loss and gradient norm, and all lora_up, or all lora_down, as one vector.
struct StepTolerance {
  double number = 1e-5, lora = 1e-4;
};

// The golden's keys are the flags' names; a key that is not read throws, since a test of it would be one of
// something else. The prediction type is the model's and not among the settings.
TrainSettings settings_of(const nlohmann::json& first,
                          const nlohmann::json& changes = nlohmann::json::object());
std::vector<PromptPair> pairs_of(const nlohmann::json& pairs);

// A run's reports, and its LoRA as one row: for each module lora_down, then lora_up.
struct Training {
  std::vector<StepReport> reports;
  torch::Tensor weights;  // (n)
  torch::Tensor is_up;    // (n), bool

  torch::Tensor up() const { return weights.masked_select(is_up); }
  torch::Tensor down() const { return weights.masked_select(~is_up); }
};

struct TrainedModel {
  UNet& unet;
  const PromptEmbeddings& embeddings;
  Prediction prediction = Prediction::kEpsilon;
};

// All of a run's steps, on one rank.
Training train(const TrainedModel& model, const TrainSettings& settings,
               const std::vector<PromptPair>& pairs);

std::vector<double> losses_of(const Training& run);
std::vector<double> norms_of(const Training& run);  // of the gradients

// Each number of `found` within the tolerance of its own expected one; prints the greatest distance.
void expect_numbers(const std::string& what, const std::vector<double>& found,
                    const std::vector<double>& expected, double tolerance);

// The records, and the LoRA's entries and norms, of a golden's first run.
void expect_first_run(const std::string& what, const Training& run, const nlohmann::json& golden,
                      const Golden& lora);

// A variant stores 60 entries of its LoRA, so that few small gradients, whose rounding AdamW magnifies, weigh
// more. On the mixed pairs the reference's own LoRA in float32 is 1.1e-4 from the one it trains in double.
constexpr StepTolerance kVariant = {.number = 3e-5, .lora = 3e-4};
void expect_variant(const std::string& what, const Training& run, const nlohmann::json& variant);
const nlohmann::json& variant_named(const nlohmann::json& golden, const std::string& name);

}  // namespace leco
