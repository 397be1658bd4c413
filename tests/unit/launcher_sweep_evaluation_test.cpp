// What a sweep file says of the evaluation of its runs, and what each run's evaluation becomes.
#include <gtest/gtest.h>

#include "launcher/flags/evaluate_flags.h"
#include "tests/unit/launcher_flags_support.h"

namespace leco {
namespace {

Given entry(const std::string& key, Words values) {
  return {.name = key, .kind = ValueKind::kText, .words = std::move(values), .place = "s.yaml, line 7"};
}

std::string refusal(const std::string& key, Words values) {
  return error_of([&] { parse_sweep_evaluation(std::vector<Given>{entry(key, std::move(values))}); });
}

TEST(SweepEvaluation, TakesWhatIsMeasuredAndDrawn) {
  const EvaluateSettings settings = parse_sweep_evaluation(std::vector<Given>{
      entry("scales", {"1", "0", "-1.5"}), entry("prompts", {"a dog", "a, b"}), entry("samples", {"4"})});
  EXPECT_EQ(settings.scales, (std::vector<double>{-1.5, 0, 1}));
  EXPECT_EQ(settings.preserve, (Words{"a dog", "a, b"}));
  EXPECT_EQ(settings.samples, 4);
  EXPECT_EQ(settings.sample_steps, EvaluateSettings().sample_steps);
  EXPECT_TRUE(settings.thumbnail);
}

TEST(SweepEvaluation, RefusesWithThePlaceWhatItDoesNotKnow) {
  EXPECT_TRUE(contains(refusal("scale", {"1"}), "s.yaml, line 7: unknown key 'scale'"));
  EXPECT_TRUE(contains(refusal("scale", {"1"}), "did you mean 'scales'"));
  for (const char* key :
       {"network_weights", "prompts_file", "output", "pretrained_model_name_or_path", "preserve"})
    EXPECT_TRUE(contains(refusal(key, {"x"}), "unknown key")) << key << ": the run says it";
  EXPECT_TRUE(contains(refusal("scales", {"1", "2"}), "s.yaml, line 7"));
  EXPECT_TRUE(contains(refusal("scales", {}), "number"));
  EXPECT_TRUE(contains(refusal("prompts", {"a", "a"}), "each prompt once"));
  EXPECT_TRUE(contains(refusal("samples", {"4", "5"}), "one value"));
  EXPECT_TRUE(contains(refusal("sample_steps", {"2000"}), "s.yaml, line 7"));
}

TEST(SweepEvaluation, OfARunHasItsModelAndPrompts) {
  const EvaluateSettings common = parse_sweep_evaluation(std::vector<Given>{entry("seed", {"5"})});
  const TrainSettings run =
      parse({"--clip_skip=2", "--max_token_length=150", "--vae=v", "--seed=9", "--device=cpu"}).settings;
  const EvaluateSettings settings = evaluation_of_run(common, run, "out/x.safetensors", "out/evaluation");
  const EvaluateSettings by_hand =
      parse_evaluate_flags(Words{"--pretrained_model_name_or_path=model", "--prompts_file=p.toml",
                                 "--clip_skip=2", "--max_token_length=150", "--vae=v", "--seed=5",
                                 "--network_weights=out/x.safetensors", "--output=out/evaluation"});
  EXPECT_EQ(effective_settings(settings), effective_settings(by_hand));
  EXPECT_EQ(settings.output, by_hand.output);
  EXPECT_EQ(settings.model.device, DeviceChoice::kCpu);
}

}  // namespace
}  // namespace leco
