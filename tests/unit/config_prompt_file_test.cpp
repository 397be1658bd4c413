// Pairs: keys, defaults, levels, notices.
#include <gtest/gtest.h>

#include <filesystem>

#include "tests/unit/config_prompt_testing.h"

namespace leco {
namespace {

using Lines = std::vector<std::string>;

TEST(PromptPairs, TakeEveryDefaultWhenOnlyTheTargetIsGiven) {
  const PromptFile file = load("[[prompts]]\ntarget = \"van gogh\"\n");
  ASSERT_EQ(file.pairs.size(), 1u);
  EXPECT_TRUE(file.notices.empty());
  const PromptPair& pair = file.pairs[0];
  EXPECT_EQ(pair.target, "van gogh");
  EXPECT_EQ(pair.positive, "van gogh");
  EXPECT_EQ(pair.unconditional, "");
  EXPECT_EQ(pair.neutral, "");
  EXPECT_EQ(pair.action, Action::kErase);
  EXPECT_EQ(pair.guidance_scale, 1.0);
  EXPECT_EQ(pair.resolution, (Resolution{512, 512}));
  EXPECT_FALSE(pair.dynamic_resolution);
  EXPECT_FALSE(pair.dynamic_crops);
  EXPECT_EQ(pair.batch_size, 1);
  EXPECT_EQ(pair.multiplier, 1.0);
  EXPECT_EQ(pair.weight, 1.0);
}

TEST(PromptPairs, KeepEveryValueThatIsGiven) {
  const PromptFile file = load(R"(
[[prompts]]
target = "a"
positive = "b"
unconditional = "c"
neutral = "d"
action = "enhance"
guidance_scale = 3
resolution = [768, 512]
dynamic_crops = true
batch_size = 4
multiplier = -2
weight = 0.5
)");
  ASSERT_EQ(file.pairs.size(), 1u);
  EXPECT_TRUE(file.notices.empty());
  const PromptPair& pair = file.pairs[0];
  EXPECT_EQ(pair.target, "a");
  EXPECT_EQ(pair.positive, "b");
  EXPECT_EQ(pair.unconditional, "c");
  EXPECT_EQ(pair.neutral, "d");
  EXPECT_EQ(pair.action, Action::kEnhance);
  EXPECT_EQ(pair.guidance_scale, 3.0) << "an integer where a number is expected";
  EXPECT_EQ(pair.resolution, (Resolution{768, 512}));
  EXPECT_TRUE(pair.dynamic_crops);
  EXPECT_EQ(pair.batch_size, 4);
  EXPECT_EQ(pair.multiplier, -2.0);
  EXPECT_EQ(pair.weight, 0.5);
}

TEST(PromptPairs, TakeEveryKeyOfTheTopLevelAsDefault) {
  const PromptFile file = load(R"(
target = "a"
positive = "b"
unconditional = "c"
neutral = "d"
action = "enhance"
guidance_scale = 2.5
resolution = 64
dynamic_resolution = true
dynamic_crops = true
batch_size = 2
multiplier = 3.0
weight = 4.0
preserve = ["man"]
[[prompts]]
[[prompts]]
target = "own"
positive = ""
dynamic_resolution = false
preserve = [""]
)");
  ASSERT_EQ(file.pairs.size(), 2u);
  EXPECT_TRUE(file.notices.empty());
  const PromptPair& pair = file.pairs[0];
  EXPECT_EQ(pair.target, "man a");
  EXPECT_EQ(summary(pair), "man b|man c|man d|enhance + 64x64");
  EXPECT_EQ(pair.guidance_scale, 2.5);
  EXPECT_TRUE(pair.dynamic_resolution);
  EXPECT_TRUE(pair.dynamic_crops);
  EXPECT_EQ(pair.batch_size, 2);
  EXPECT_EQ(pair.multiplier, 3.0);
  EXPECT_EQ(pair.weight, 4.0);
  EXPECT_EQ(file.pairs[1].target, "own");
  EXPECT_EQ(file.pairs[1].positive, "") << "a key that is present counts, also when it is empty";
  EXPECT_FALSE(file.pairs[1].dynamic_resolution);
}

TEST(PromptPairs, AreNumberedPromptsFirstThenTargetsThenThoseOfTheSliderSection) {
  const PromptFile file = load(R"(
[[slider.targets]]
target = "e"
[[targets]]
target = "c"
[[targets]]
target_class = "d"
positive = "p"
[[prompts]]
target = "a"
[[prompts]]
target = "b"
)");
  Lines targets;
  for (const PromptPair& pair : file.pairs) targets.push_back(pair.target);
  EXPECT_EQ(targets, (Lines{"a", "b", "c", "d", "d", "e"}));
}

TEST(PromptPairs, InTargetsTakeDefaultsOfTheSliderSectionAndThoseInPromptsDoNot) {
  const PromptFile file = load(R"(
guidance_scale = 2
batch_size = 2
[[prompts]]
target = "a"
[slider]
guidance_scale = 3
[[slider.targets]]
target = "b"
)");
  ASSERT_EQ(file.pairs.size(), 2u);
  EXPECT_EQ(file.pairs[0].guidance_scale, 2.0);
  EXPECT_EQ(file.pairs[1].guidance_scale, 3.0);
  EXPECT_EQ(file.pairs[1].batch_size, 2);
}

TEST(PromptPairs, AreReadFromTheTopLevelOrTheSectionWhenThereAreNoEntries) {
  EXPECT_EQ(summaries(load("target = \"a\"\nneutral = \"n\"")), (Lines{"a||n|erase + 512x512"}));
  EXPECT_EQ(summaries(load("[slider]\ntarget = \"a\"\nresolution = 64")), (Lines{"a|||erase + 64x64"}));
}

TEST(PromptPairs, MayBeWrittenAsInlineTables) {
  EXPECT_EQ(summaries(load("prompts = [{target = \"a\"}, {target = \"b\", weight = 2}]")),
            (Lines{"a|||erase + 512x512", "b|||erase + 512x512"}));
}

TEST(PromptPairs, GetOneNoticeWhenTheyHaveAnUnconditionalAndNoNeutral) {
  const auto notices =
      load("[[prompts]]\ntarget = \"a\"\nunconditional = \"u\"\npreserve = [\"x\", \"y\"]").notices;
  ASSERT_EQ(notices.size(), 1u);
  EXPECT_NE(notices[0].find("dir/p.toml, line 3: [[prompts]] 1: 'unconditional'"), std::string::npos)
      << notices[0];
  EXPECT_EQ(
      load("unconditional = \"u\"\n[[prompts]]\ntarget = \"a\"\n[[prompts]]\ntarget = \"b\"").notices.size(),
      2u);
  EXPECT_TRUE(load("[[prompts]]\ntarget = \"a\"\nunconditional = \"u\"\nneutral = \"\"").notices.empty());
  EXPECT_TRUE(load("neutral = \"\"\n[[prompts]]\ntarget = \"a\"\nunconditional = \"u\"").notices.empty());
  EXPECT_TRUE(load("[[prompts]]\ntarget = \"a\"\nunconditional = \"\"").notices.empty())
      << "nothing differs then";
}

TEST(PromptPairs, StayAtAFixedSizeWithANoticeWhenADynamicSizeIsNotSquare) {
  const PromptFile file =
      load("[[prompts]]\ntarget = \"a\"\nresolution = [520, 64]\ndynamic_resolution = true");
  EXPECT_FALSE(file.pairs[0].dynamic_resolution);
  EXPECT_EQ(file.pairs[0].resolution, (Resolution{520, 64}));
  ASSERT_EQ(file.notices.size(), 1u);
  EXPECT_NE(
      file.notices[0].find("line 3: [[prompts]] 1: 'resolution' has a size that is not square, [520, 64]"),
      std::string::npos)
      << file.notices[0];
  EXPECT_TRUE(load("[[prompts]]\ntarget = \"a\"\nresolution = [128, 128]\ndynamic_resolution = true")
                  .pairs[0]
                  .dynamic_resolution);
}

TEST(PromptPairs, AreCopiedOnceAnAttributeOfPreserveInTheOrderOfTheList) {
  const PromptFile file = load(R"(
[[prompts]]
target = "person"
unconditional = "young"
neutral = ""
preserve = ["male", "", "white"]
[[prompts]]
target = "b"
)");
  EXPECT_EQ(summaries(file),
            (Lines{"male person|male young|male |erase + 512x512", "person|young||erase + 512x512",
                   "white person|white young|white |erase + 512x512", "b|||erase + 512x512"}));
  EXPECT_EQ(file.pairs[0].target, "male person");
}

TEST(PromptPairs, AreToldWhichOfTheirDefaultsNobodyTakes) {
  const auto notices =
      load("neutrals = [\"n\"]\nnegative = \"x\"\nweight = 1\n[[prompts]]\ntarget = \"a\"\nweight = 2")
          .notices;
  ASSERT_EQ(notices.size(), 2u);
  EXPECT_NE(notices[0].find("line 1: top level: 'neutrals' has no effect"), std::string::npos) << notices[0];
  EXPECT_NE(notices[1].find("line 2: top level: 'negative' has no effect"), std::string::npos) << notices[1];
}

TEST(PromptFiles, MayHoldWindowsLineEndsAByteOrderMarkAndComments) {
  EXPECT_EQ(load("\xEF\xBB\xBF# one \"quote\r\n[[prompts]] # [[[\r\ntarget = \"a\"\r\n").pairs[0].target,
            "a");
  EXPECT_EQ(load_prompt_file("P.TOML", read_from({{"P.TOML", "target = \"a\""}})).pairs.size(), 1u);
}

PromptFile example(const std::string& name) {
  const auto path = std::filesystem::path(LECO_TEST_DATA "/../../configs/prompts/" + name).lexically_normal();
  return load_prompt_file(path.string(), read_local_file);
}

TEST(ExamplePromptFiles, AreReadWithoutANotice) {
  for (const std::string name : {"erase_van_gogh", "enhance_detailed", "slider_hair", "toy_size"}) {
    EXPECT_EQ(example(name + ".toml").notices, Lines{}) << name;
  }
  EXPECT_EQ(summaries(example("erase_van_gogh.toml")), (Lines{"van gogh|||erase + 512x512"}));
  EXPECT_EQ(summaries(example("enhance_detailed.toml")), (Lines{"detailed|||enhance + 512x512"}));
  EXPECT_EQ(example("slider_hair.toml").pairs.size(), 8u);
}

TEST(ExamplePromptFiles, HoldTheSizeSliderOfTheToyModel) {
  const PromptFile file = example("toy_size.toml");
  EXPECT_EQ(summaries(file),
            (Lines{"small circle|big circle||erase + 64x64", "big circle|small circle||enhance + 64x64",
                   "big circle|small circle||erase - 64x64", "small circle|big circle||enhance - 64x64"}));
  for (const PromptPair& pair : file.pairs) {
    EXPECT_EQ(pair.target, "circle");
    EXPECT_EQ(pair.guidance_scale, 2.0);
  }
}

}  // namespace
}  // namespace leco
