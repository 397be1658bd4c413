// Prompt files of other programs: LECO, sliders, ai-toolkit, and our own keys in YAML.
#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "config/yaml_reader.h"
#include "tests/unit/config_prompt_testing.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

bool same(const PromptPair& a, const PromptPair& b) {
  return a.target == b.target && a.positive == b.positive && a.unconditional == b.unconditional &&
         a.neutral == b.neutral && a.action == b.action && a.guidance_scale == b.guidance_scale &&
         a.resolution == b.resolution && a.dynamic_resolution == b.dynamic_resolution &&
         a.dynamic_crops == b.dynamic_crops && a.batch_size == b.batch_size && a.multiplier == b.multiplier &&
         a.weight == b.weight;
}

void expect_same(const PromptFile& yaml, const PromptFile& toml) {
  ASSERT_EQ(yaml.pairs.size(), toml.pairs.size());
  for (size_t i = 0; i < yaml.pairs.size(); ++i) EXPECT_TRUE(same(yaml.pairs[i], toml.pairs[i])) << i;
}

// The fields and comments of p1atdev/LECO's example.
TEST(YamlPrompts, ListOfLecoIsReadAsItsTomlWould) {
  const PromptFile yaml = load_yaml(R"(- target: "van gogh" # what to change
  positive: "van gogh"
  unconditional: ""
  neutral: ''
  action: "erase"
  guidance_scale: 1.5
  resolution: 256
  dynamic_resolution: true
  batch_size: 2
- target: 1girl
  positive: 1girl, cat ears
  action: enhance
)");
  expect_same(yaml, load(R"([[prompts]]
target = "van gogh"
action = "erase"
guidance_scale = 1.5
resolution = 256
dynamic_resolution = true
batch_size = 2
[[prompts]]
target = "1girl"
positive = "1girl, cat ears"
action = "enhance"
)"));
  EXPECT_TRUE(yaml.notices.empty()) << yaml.notices.front();
}

TEST(YamlPrompts, NeutralOfAListIsItsUnconditional) {
  const PromptFile file = load_yaml(
      "- target: a\n  unconditional: young\n"
      "- target: b\n  unconditional: young\n  neutral: \"\"\n"
      "- target: c\n");
  EXPECT_EQ(file.pairs[0].neutral, "young");
  EXPECT_EQ(file.pairs[1].neutral, "") << "a key that is there counts";
  EXPECT_EQ(file.pairs[2].neutral, "");
  EXPECT_TRUE(file.notices.empty()) << "no notice: the file means what it always meant";
}

// As in the six *_GPT.yaml files of rohitgandikota/sliders.
TEST(YamlPrompts, GuidanceOfSlidersIsTakenWithANotice) {
  const PromptFile file = load_yaml(R"(- target: ' female person'
  positive: ' female person, very old'
  unconditional: ' female person, very young'
  neutral: ' female person'
  guidance: 4
  rank: 4
  action: enhance
  resolution: 512
  dynamic_resolution: false
  batch_size: 1
)");
  EXPECT_EQ(file.pairs[0].guidance_scale, 4);
  EXPECT_EQ(file.pairs[0].target, " female person") << "blanks in quotes are kept";
  ASSERT_EQ(file.notices.size(), 2u);
  EXPECT_EQ(file.notices[0],
            "dir/p.yaml, line 5: entry 1 of prompts: 'guidance' is taken as guidance_scale; LECO and sliders "
            "drop the key and train at 1");
  EXPECT_EQ(
      file.notices[1],
      "dir/p.yaml, line 6: entry 1 of prompts: 'rank' has no effect: the rank is set with --network_dim");
  EXPECT_EQ(load_yaml("- target: a\n  bucketing: false\n").notices.size(), 1u);
}

TEST(YamlPrompts, TablesWithOurKeysAreReadAsToml) {
  expect_same(load_yaml(R"(targets:
  - target_class: "person"
    positive: "smiling person"
    negative: "expressionless person"
    multiplier: 2
    preserve: [man, woman]
  - {target: plain, action: enhance}
guidance_scale: 1e0
resolutions: [64, [64, 128]]
neutrals:
  - ""
  - studio photo
)"),
              load(R"(guidance_scale = 1.0
resolutions = [64, [64, 128]]
neutrals = ["", "studio photo"]
[[targets]]
target_class = "person"
positive = "smiling person"
negative = "expressionless person"
multiplier = 2
preserve = ["man", "woman"]
[[targets]]
target = "plain"
action = "enhance"
)"));
  expect_same(load_yaml("slider:\n  target_class: a\n  positive: b\nneutral: n\n"),
              load("neutral = 'n'\n[slider]\ntarget_class = 'a'\npositive = 'b'\n"));
  expect_same(load_yaml("prompts:\n- target: a\n  unconditional: u\n"),
              load("[[prompts]]\ntarget = 'a'\nunconditional = 'u'\n"));
}

constexpr const char* kJob = R"(---
job: train
config:
  name: detail
  training_folder: out
  device: cuda:0
  process:
    - type: slider
      network: {type: lierla, linear: 8}
      train:
        steps: 500
        lr: 2e-4
      model: {name_or_path: x}
      save: {save_every: 50}
      sample: {sampler: ddpm}
      logging: {log_every: 10}
      performance_log_every: 1
      slider:
        resolutions:
          - [ 512, 768 ]
        batch_full_slide: true
        targets:
          - target_class: ""
            positive: "high detail"
            negative: "blurry"
            weight: 0.5
            shuffle: false
          - positive: sharp
            negative: ""
meta:
  name: "[name]"
)";

TEST(AiToolkitJob, GivesItsSlidersWithTurnedSizes) {
  const PromptFile file = load_yaml(kJob);
  ASSERT_EQ(file.pairs.size(), 6u) << "four for two poles, two for one";
  EXPECT_EQ(summary(file.pairs[0]), "blurry|high detail||erase + 768x512") << "[width, height]";
  EXPECT_EQ(file.pairs[0].weight, 0.5);
  EXPECT_EQ(summary(file.pairs[4]), "sharp|||enhance + 768x512");
  EXPECT_EQ(file.pairs[4].target, "");
}

TEST(AiToolkitJob, ListsWhatItSetsBesidesInOneLine) {
  const auto notices = load_yaml(kJob).notices;
  ASSERT_EQ(notices.size(), 2u);
  for (const char* part : {"dir/p.yaml, line 4: of this job only the sliders are read",
                           "network (--network_dim, --network_alpha)",
                           "train (--max_train_steps, --learning_rate", "save (--save_every_n_steps",
                           "sample (--sample_every_n_steps", "name (--output_name)", "performance_log_every"})
    EXPECT_TRUE(contains(notices[0], part)) << notices[0];
  EXPECT_TRUE(contains(notices[1], "line 21: slider: 'batch_full_slide' has no effect: ")) << notices[1];
}

TEST(AiToolkitJob, TakesAPromptFileAsNeutrals) {
  const PromptFile file = load_yaml(
      "config:\n  process:\n  - type: slider\n    slider:\n      prompt_file: n.txt\n      targets:\n"
      "      - {target_class: a, positive: b}\n",
      {{"dir/n.txt", "one\ntwo\n"}});
  ASSERT_EQ(file.pairs.size(), 4u);
  EXPECT_EQ(file.pairs[2].neutral, "two");
  ASSERT_EQ(file.notices.size(), 1u);
  EXPECT_TRUE(contains(file.notices[0], "line 5: slider: 'prompt_file' gives neutral prompts"));
}

TEST(Yaml, PlainWordsBecomeWhatTheyLookLike) {
  const ConfigNode root = parse_yaml("p", R"(
- [1, -2, +3, 0]
- [1.5, .5, 1e-4, -1E3, 5., 99999999999999999999, .inf]
- [true, False, yes, Off, on]
- ["", ~, null, ]
- [1girl, 0x10, 010, 1_000, 1.2.3, e5, nan, inf, 2001-01-01, "5", 'true', !!str 7, a: b]
)");
  for (const ConfigNode& node : root.list[0].list) EXPECT_EQ(node.kind, Kind::kInteger);
  EXPECT_EQ(root.list[0].list[2].integer, 3);
  for (const ConfigNode& node : root.list[1].list) EXPECT_EQ(node.kind, Kind::kNumber) << describe(node);
  EXPECT_EQ(root.list[1].list[2].number, 1e-4);
  for (const ConfigNode& node : root.list[2].list) EXPECT_EQ(node.kind, Kind::kFlag);
  EXPECT_EQ(root.list[3].list[0].kind, Kind::kText);
  EXPECT_EQ(root.list[3].list[1].kind, Kind::kNothing);
  EXPECT_EQ(root.list[3].list[2].kind, Kind::kNothing);
  for (size_t i = 0; i + 1 < root.list[4].list.size(); ++i)
    EXPECT_EQ(root.list[4].list[i].kind, Kind::kText) << describe(root.list[4].list[i]);
  EXPECT_EQ(root.list[4].list.back().kind, Kind::kTable);
}

TEST(Yaml, LinesAreThoseOfTheFile) {
  const ConfigNode root =
      parse_yaml("p", "# c\na:\n  - x\n\n  - y: 1\n    on: |\n      two\n      lines\nz: 0\n");
  EXPECT_EQ(root.find("a")->line, 2);
  EXPECT_EQ(root.find("a")->value.list[1].table[0].line, 5);
  EXPECT_EQ(root.find("a")->value.list[1].find("on")->value.text, "two\nlines\n") << "keys stay words";
  EXPECT_EQ(root.find("z")->line, 9);
}

TEST(Yaml, AliasesAreCopiesOfWhatTheyName) {
  const ConfigNode root = parse_yaml("p", "a: &n [x, y]\nb: *n\nc: [*n, *n]\n");
  EXPECT_EQ(root.find("b")->value.list.size(), 2u);
  EXPECT_EQ(root.find("c")->value.list[1].list[1].text, "y");
}

}  // namespace
}  // namespace leco
