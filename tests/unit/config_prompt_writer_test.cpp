// Pairs that are written as a prompt file come back as they were.
#include <gtest/gtest.h>

#include "config/prompt_file.h"
#include "config/prompt_writer.h"
#include "core/error.h"

namespace leco {
namespace {

PromptFile read_back(const std::string& text) {
  return load_prompt_file("folder/prompts.toml", [&](const std::string&) { return text; });
}

void expect_same(const PromptPair& found, const PromptPair& expected) {
  EXPECT_EQ(found.target, expected.target);
  EXPECT_EQ(found.positive, expected.positive);
  EXPECT_EQ(found.unconditional, expected.unconditional);
  EXPECT_EQ(found.neutral, expected.neutral);
  EXPECT_EQ(found.action, expected.action);
  EXPECT_EQ(found.guidance_scale, expected.guidance_scale);
  EXPECT_EQ(found.resolution, expected.resolution);
  EXPECT_EQ(found.dynamic_resolution, expected.dynamic_resolution);
  EXPECT_EQ(found.dynamic_crops, expected.dynamic_crops);
  EXPECT_EQ(found.batch_size, expected.batch_size);
  EXPECT_EQ(found.multiplier, expected.multiplier);
  EXPECT_EQ(found.weight, expected.weight);
}

TEST(PromptWriter, GivesEveryFieldOfEveryPairBack) {
  std::vector<PromptPair> pairs(4);
  pairs[0].target = "a \"quoted\" \\ back\\slash";
  pairs[0].positive = "line\nbreak\ttab\x7f";
  pairs[0].neutral = "“ü” 漢";
  pairs[1] = {.target = "",
              .positive = "b",
              .unconditional = "c",
              .neutral = "",
              .action = Action::kEnhance,
              .guidance_scale = 0.1 + 0.2,
              .resolution = {64, 192},
              .batch_size = 3,
              .multiplier = -1.0 / 3,
              .weight = 1e-300};
  pairs[2].target = pairs[3].target = "x";
  pairs[2].resolution = {128, 128};
  pairs[2].dynamic_resolution = pairs[2].dynamic_crops = true;
  pairs[3].guidance_scale = 1e20;
  pairs[3].weight = 0;
  const PromptFile back = read_back(prompt_file_text(pairs, "my \"slider\".yaml"));
  ASSERT_EQ(back.pairs.size(), pairs.size());
  for (size_t i = 0; i < pairs.size(); ++i) expect_same(back.pairs[i], pairs[i]);
  EXPECT_TRUE(back.notices.empty());
  EXPECT_EQ(back.recorded_as, "my \"slider\".yaml");
}

TEST(PromptWriter, TurnsDefaultsOffAgainWhereTheFirstPairHasThemOn) {
  std::vector<PromptPair> pairs(2);
  pairs[0].target = "a";
  pairs[0].action = Action::kEnhance;
  pairs[0].dynamic_resolution = pairs[0].dynamic_crops = true;
  pairs[1].target = "b";
  pairs[1].resolution = {64, 128};
  const PromptFile back = read_back(prompt_file_text(pairs, "x.toml"));
  for (size_t i = 0; i < pairs.size(); ++i) expect_same(back.pairs.at(i), pairs[i]);
  EXPECT_TRUE(back.notices.empty()) << back.notices.front();
}

TEST(RecordedName, IsTheFilesOwnUnlessItSaysAnother) {
  EXPECT_EQ(read_back("target = \"a\"").recorded_as, "prompts.toml");
  EXPECT_EQ(read_back("recorded_as = \"b.yaml\"\ntarget = \"a\"").recorded_as, "b.yaml");
  EXPECT_THROW(read_back("recorded_as = 3\ntarget = \"a\""), Error);
  EXPECT_THROW(read_back("[[prompts]]\nrecorded_as = \"b\"\ntarget = \"a\""), Error) << "top level only";
}

}  // namespace
}  // namespace leco
