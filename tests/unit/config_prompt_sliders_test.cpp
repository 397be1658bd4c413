// Sliders: expansion, levels, neutrals, sizes.
#include <gtest/gtest.h>

#include "tests/unit/config_prompt_testing.h"

namespace leco {
namespace {

using Lines = std::vector<std::string>;

Lines neutrals_of(const PromptFile& file) {
  Lines found;
  for (const PromptPair& pair : file.pairs) {
    if (found.empty() || found.back() != pair.neutral) found.push_back(pair.neutral);
  }
  return found;
}

const std::string kTarget = "[[targets]]\ntarget_class = \"t\"\npositive = \"p\"\n";

TEST(Sliders, OfTwoPolesBecomeFourPairsThatPullBothWays) {
  const PromptFile file = load(R"(
[[targets]]
target_class = "person"
positive = "long"
negative = "short"
multiplier = 1.5
weight = 2
guidance_scale = 3
batch_size = 4
dynamic_crops = true
)");
  EXPECT_EQ(summaries(file), (Lines{"short|long||erase + 512x512", "long|short||enhance + 512x512",
                                    "long|short||erase - 512x512", "short|long||enhance - 512x512"}));
  EXPECT_TRUE(file.notices.empty()) << "the notice about neutral is for pairs";
  for (const PromptPair& pair : file.pairs) {
    EXPECT_EQ(pair.target, "person");
    EXPECT_EQ(std::abs(pair.multiplier), 1.5);
    EXPECT_EQ(pair.weight, 2.0);
    EXPECT_EQ(pair.guidance_scale, 3.0);
    EXPECT_EQ(pair.batch_size, 4);
    EXPECT_TRUE(pair.dynamic_crops);
  }
}

using Directions = std::vector<PromptDirection>;

TEST(Directions, OfASliderIsOneBeforeExpansion) {
  const PromptFile both =
      load(kTarget + "negative = \"n\"\nresolutions = [64, 128]\nneutrals = [\"a\", \"b\"]");
  EXPECT_EQ(both.pairs.size(), 16U);
  EXPECT_EQ(both.directions, (Directions{{"t", "p", "n", 1, {64, 64}}}));
  EXPECT_EQ(load(kTarget + "neutrals = [\"a\", \"b\"]").directions, (Directions{{"t", "p", "a", 1}}));
  EXPECT_EQ(load("[[targets]]\ntarget_class = \"t\"\nnegative = \"n\"").directions,
            (Directions{{"t", "t", "n", 1}}));
  EXPECT_EQ(load(kTarget + "multiplier = -2").directions, (Directions{{"t", "p", "", -1}}));
  EXPECT_EQ(load(kTarget + "preserve = [\"red\", \"blue\"]").directions, (Directions{{"t", "p", "", 1}}));
  EXPECT_EQ(load("target_class = \"t\"\npositive = \"p\"").directions, (Directions{{"t", "p", "", 1}}));
}

TEST(Directions, OfAPairIsTurnedRoundByErasingAndByANegativeMultiplier) {
  const std::string pair =
      "[[prompts]]\ntarget = \"t\"\npositive = \"p\"\nunconditional = \"u\"\nneutral = \"x\"\n";
  EXPECT_EQ(load(pair).directions, (Directions{{"t", "p", "u", -1}}));
  EXPECT_EQ(load(pair + "action = \"enhance\"").directions, (Directions{{"t", "p", "u", 1}}));
  EXPECT_EQ(load(pair + "multiplier = -1").directions, (Directions{{"t", "p", "u", 1}}));
  EXPECT_EQ(load(pair + "action = \"enhance\"\nmultiplier = -1").directions,
            (Directions{{"t", "p", "u", -1}}));
  EXPECT_EQ(load("[[prompts]]\ntarget = \"t\"").directions, (Directions{{"t", "t", "", -1}}));
  EXPECT_EQ(load(pair + "preserve = [\"red\", \"\"]").directions,
            (Directions{{"red t", "red p", "red u", -1}, {"t", "p", "u", -1}}));
}

TEST(Sliders, TurnTheSignOfANegativeMultiplierToo) {
  const PromptFile file = load(kTarget + "multiplier = -2");
  EXPECT_EQ(file.pairs[0].multiplier, -2.0);
  EXPECT_EQ(file.pairs[1].multiplier, 2.0);
}

TEST(Sliders, OfOnePoleBecomeTwoPairs) {
  EXPECT_EQ(summaries(load(kTarget)), (Lines{"p|||enhance + 512x512", "p|||erase - 512x512"}));
  EXPECT_EQ(summaries(load("[[targets]]\ntarget_class = \"\"\nnegative = \"n\"")),
            (Lines{"n|||erase + 512x512", "n|||enhance - 512x512"}));
}

TEST(Sliders, TakeAnEmptyPoleAsTheEmptyPromptAndSaySo) {
  const PromptFile file = load(kTarget + "negative = \"\"");
  EXPECT_EQ(summaries(file), (Lines{"|p||erase + 512x512", "p|||enhance + 512x512", "p|||erase - 512x512",
                                    "|p||enhance - 512x512"}));
  ASSERT_EQ(file.notices.size(), 1u);
  EXPECT_NE(file.notices[0].find("line 4: [[targets]] 1: 'negative' is the empty prompt"), std::string::npos);
}

TEST(Sliders, ExpandNeutralsOutsideResolutionsOutsidePolesOutsideAttributes) {
  const PromptFile file = load(kTarget + R"(
neutrals = ["x", "y"]
resolutions = [64, [128, 64]]
preserve = ["a", ""]
)");
  Lines expected;
  for (const std::string neutral : {"x", "y"}) {
    for (const std::string size : {"64x64", "128x64"}) {
      for (const std::string turn : {"enhance + ", "erase - "}) {
        expected.push_back("a p|a |a " + neutral + "|" + turn + size);
        expected.push_back("p||" + neutral + "|" + turn + size);
      }
    }
  }
  EXPECT_EQ(summaries(file), expected);
  EXPECT_EQ(file.pairs[0].target, "a t");
  EXPECT_EQ(file.pairs[1].target, "t");
}

TEST(Sliders, TakeEveryKeyOfTheTopLevelAsDefault) {
  const PromptFile file = load(R"(
target_class = "t"
positive = "p"
negative = "n"
neutral = "x"
multiplier = 2
weight = 3
guidance_scale = 4
resolution = 64
dynamic_resolution = true
dynamic_crops = true
batch_size = 5
[[targets]]
[[targets]]
target_class = ""
positive = "q"
neutral = ""
)");
  ASSERT_EQ(file.pairs.size(), 8u);
  EXPECT_TRUE(file.notices.empty());
  EXPECT_EQ(summary(file.pairs[0]), "n|p|x|erase + 64x64");
  EXPECT_EQ(summary(file.pairs[4]), "n|q||erase + 64x64");
  EXPECT_EQ(file.pairs[4].target, "");
  for (const PromptPair& pair : file.pairs) {
    EXPECT_EQ(std::abs(pair.multiplier), 2.0);
    EXPECT_EQ(pair.weight, 3.0);
    EXPECT_EQ(pair.guidance_scale, 4.0);
    EXPECT_TRUE(pair.dynamic_resolution);
    EXPECT_TRUE(pair.dynamic_crops);
    EXPECT_EQ(pair.batch_size, 5);
  }
}

TEST(Sliders, PreferTheSectionToTheTopLevelAndTheEntryToBoth) {
  const PromptFile file = load(R"(
weight = 1
guidance_scale = 1
batch_size = 1
[slider]
guidance_scale = 2
batch_size = 2
[[slider.targets]]
target_class = "t"
positive = "p"
batch_size = 3
)");
  EXPECT_EQ(file.pairs[0].weight, 1.0);
  EXPECT_EQ(file.pairs[0].guidance_scale, 2.0);
  EXPECT_EQ(file.pairs[0].batch_size, 3);
  EXPECT_TRUE(file.notices.empty());
}

TEST(Sliders, AreReadFromTheTopLevelOrTheSectionWhenThereAreNoTargets) {
  const Lines expected = {"p|||enhance + 512x512", "p|||erase - 512x512"};
  EXPECT_EQ(summaries(load("target_class = \"\"\npositive = \"p\"")), expected);
  EXPECT_EQ(summaries(load("[slider]\ntarget_class = \"\"\npositive = \"p\"")), expected);
  EXPECT_EQ(summaries(load("positive = \"p\"\nslider.target_class = \"\"")), expected)
      << "both levels together";
  EXPECT_EQ(
      summaries(load(
          "target_class = \"\"\n[[prompts]]\ntarget = \"a\"\npositive = \"b\"\n[slider]\npositive = \"p\"")),
      (Lines{"b|||erase + 512x512", "p|||enhance + 512x512", "p|||erase - 512x512"}));
}

TEST(Sliders, InPromptsHaveTheDefaultsAndNeutralsOfTargetsAndTheirPlaceInTheOrder) {
  const PromptFile file = load(R"(
neutrals = ["x", "y"]
[slider]
resolution = 64
[[prompts]]
target_class = "t"
positive = "p"
[[prompts]]
target = "b"
)");
  EXPECT_EQ(summaries(file), (Lines{"p||x|enhance + 64x64", "p||x|erase - 64x64", "p||y|enhance + 64x64",
                                    "p||y|erase - 64x64", "b|||erase + 512x512"}));
}

TEST(Neutrals, OfTheEntryComeBeforeItsFileBeforeItsNeutralBeforeAllOfTheOuterLevels) {
  const std::string outer = "neutrals = [\"o\"]\n";
  const std::map<std::string, std::string> files = {{"dir/f.txt", "f1\nf2\n"}, {"dir/g.txt", "g\n"}};
  const auto with = [&](const std::string& keys) { return load(outer + kTarget + keys, files); };
  EXPECT_EQ(neutrals_of(with("")), (Lines{"o"}));
  EXPECT_EQ(neutrals_of(with("neutral = \"\"")), (Lines{""})) << "present, although empty";
  EXPECT_EQ(neutrals_of(with("prompt_file = \"g.txt\"\nneutral = \"n\"")), (Lines{"g"}));
  EXPECT_EQ(neutrals_of(with("neutral_prompt_file = \"f.txt\"\nprompt_file = \"g.txt\"")),
            (Lines{"f1", "f2"}));
  const PromptFile all = with("neutral = \"n\"\nneutral_prompt_file = \"f.txt\"\nneutrals = [\"l\", \"\"]");
  EXPECT_EQ(neutrals_of(all), (Lines{"l", ""}));
  ASSERT_EQ(all.notices.size(), 2u) << "one for each key that has no effect";
  EXPECT_NE(all.notices[0].find("line 5: [[targets]] 1: 'neutral' has no effect"), std::string::npos);
  EXPECT_NE(all.notices[1].find("line 6: [[targets]] 1: 'neutral_prompt_file' has no effect"),
            std::string::npos);
}

TEST(Neutrals, OfTheOuterLevelsAreTheListAndBothFilesInThisOrderElseTheSingleOne) {
  const std::map<std::string, std::string> files = {{"dir/f.txt", "f"}, {"dir/sub/g.txt", "g"}};
  const std::string lists =
      "prompt_file = \"sub/g.txt\"\nneutral_prompt_file = \"f.txt\"\nneutrals = [\"l\"]\n";
  EXPECT_EQ(neutrals_of(load(lists + kTarget, files)), (Lines{"l", "f", "g"}));
  EXPECT_EQ(neutrals_of(load("neutral = \"n\"\n" + kTarget)), (Lines{"n"}));
  EXPECT_EQ(neutrals_of(load(kTarget)), (Lines{""}));
  EXPECT_EQ(neutrals_of(load("target_class = \"t\"\npositive = \"p\"\n" + lists, files)),
            (Lines{"l", "f", "g"}))
      << "a slider written at the top level";
  EXPECT_EQ(
      neutrals_of(load(
          lists + "[slider]\nneutrals = [\"s\"]\n[[slider.targets]]\ntarget_class = \"t\"\npositive = \"p\"",
          files)),
      (Lines{"s", "f", "g"}))
      << "[slider] replaces the same key only";
}

TEST(Neutrals, OfFilesAreTheLinesThatAreNeitherEmptyNorComments) {
  const PromptFile file =
      load("neutral_prompt_file = \"f.txt\"\n" + kTarget,
           {{"dir/f.txt", "\xEF\xBB\xBF  a photo \r\n\r\n\t\n# mine\n  # too\nfür #1\nlast"}});
  EXPECT_EQ(neutrals_of(file), (Lines{"a photo", "für #1", "last"}));
  ASSERT_EQ(file.notices.size(), 1u);
  EXPECT_NE(file.notices[0].find("2 line(s) that start with '#'"), std::string::npos) << file.notices[0];
}

TEST(Neutrals, OfAnAbsolutePathOrAFileBesideAPathWithoutFolderAreFound) {
  EXPECT_EQ(neutrals_of(load("prompt_file = \"/abs/f.txt\"\n" + kTarget, {{"/abs/f.txt", "a"}})),
            (Lines{"a"}));
  const auto read = read_from({{"p.toml", "prompt_file = \"f.txt\"\n" + kTarget}, {"f.txt", "b"}});
  EXPECT_EQ(neutrals_of(load_prompt_file("p.toml", read)), (Lines{"b"}));
}

TEST(Neutrals, OfAFileAreReadOnceAndOnlyWhenNeeded) {
  int reads = 0;
  const std::string toml = "prompt_file = \"f.txt\"\n" + kTarget + kTarget;
  const ReadFile read = [&](const std::string& path) {
    reads += path == "f.txt";
    return path == "p.toml" ? toml : std::string("a");
  };
  load_prompt_file("p.toml", read);
  EXPECT_EQ(reads, 1);
  EXPECT_EQ(neutrals_of(load("prompt_file = \"missing.txt\"\n" + kTarget + "neutral = \"n\"")), (Lines{"n"}));
}

TEST(SliderSizes, OfTheEntryReplaceBothKeysOfTheOuterLevels) {
  const std::string outer = "resolution = 8\nresolutions = [16]\n";
  const auto size = [](const PromptFile& file) { return file.pairs.at(0).resolution.height; };
  const PromptFile from_outer = load(outer + kTarget);
  EXPECT_EQ(size(from_outer), 16) << "within one level resolutions wins";
  ASSERT_EQ(from_outer.notices.size(), 1u);
  EXPECT_NE(from_outer.notices[0].find("line 1: top level: 'resolution' has no effect"), std::string::npos);
  EXPECT_EQ(size(load(outer + kTarget + "resolution = 24")), 24);
  EXPECT_EQ(size(load(outer + kTarget + "resolutions = [32]")), 32);
  EXPECT_EQ(size(load(outer + kTarget + "resolution = 24\nresolutions = [32]")), 32);
  EXPECT_EQ(size(load(outer +
                      "[slider]\nresolution = 40\n[[slider.targets]]\ntarget_class=\"\"\npositive = \"p\"")),
            40);
}

TEST(SliderSizes, OfTwoIntegersAreTwoSquaresWithOneNotice) {
  const PromptFile file = load("resolutions = [512, 768]\n" + kTarget + kTarget);
  EXPECT_EQ(file.pairs.size(), 8u);
  EXPECT_EQ(file.pairs[2].resolution, (Resolution{768, 768}));
  ASSERT_EQ(file.notices.size(), 1u);
  EXPECT_NE(file.notices[0].find("line 1: top level: 'resolutions' names two square sizes"),
            std::string::npos);
  EXPECT_TRUE(load("resolutions = [512, 768, 64]\n" + kTarget).notices.empty());
  EXPECT_TRUE(load("resolutions = [[512, 768]]\n" + kTarget).notices.empty());
  EXPECT_EQ(load("resolution = [512, 768]\n" + kTarget).pairs.size(), 2u);
}

TEST(SliderSizes, ThatAreNotSquareStayFixedOneByOne) {
  const PromptFile file = load("dynamic_resolution = true\nresolutions = [64, [64, 72]]\n" + kTarget);
  EXPECT_TRUE(file.pairs[0].dynamic_resolution);
  EXPECT_FALSE(file.pairs[2].dynamic_resolution);
  EXPECT_EQ(file.notices.size(), 1u);
}

}  // namespace
}  // namespace leco
