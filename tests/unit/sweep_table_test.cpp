// A sweep's file and the runs that it stands for.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "config/prompt_file.h"
#include "sweep/run_table.h"
#include "tests/support/refusal.h"

namespace leco {
namespace {

const std::string kHead = "output_dir: out\nprompts: [a.toml, b.toml]\n";

std::string number_text(const ConfigEntry& entry) {
  if (entry.value.is(ConfigNode::Kind::kText)) return entry.value.text;
  if (entry.value.is(ConfigNode::Kind::kInteger)) return std::to_string(entry.value.integer);
  return std::to_string(entry.value.number);
}

RunTable runs_of(const SweepSpec& spec) {
  std::vector<PromptSource> sources;
  for (const ConfigNode& file : spec.prompts)
    sources.push_back({file.text.substr(0, file.text.rfind('.')), file.text, file.line});
  return expand_runs(spec, sources, number_text, [](const std::string&) { return std::string("usual"); });
}

RunTable runs_of(const std::string& text) {
  return runs_of(parse_sweep_spec("s.yaml", text));
}

std::vector<std::string> names_of(const std::string& text) {
  std::vector<std::string> names;
  for (const SweepRun& run : runs_of(text).runs) names.push_back(run.name);
  return names;
}

std::string error_of(const std::string& text) {
  return testing::refusal_of("s.yaml", [&] { runs_of(text); });
}

TEST(SweepTable, EveryPromptFileGetsEveryCombination) {
  EXPECT_EQ(
      names_of(kHead + "grid: {rank: [4, 8], seed: [1, 2]}\n"),
      (std::vector<std::string>{"a,rank=4,seed=1", "a,rank=4,seed=2", "a,rank=8,seed=1", "a,rank=8,seed=2",
                                "b,rank=4,seed=1", "b,rank=4,seed=2", "b,rank=8,seed=1", "b,rank=8,seed=2"}));
}

TEST(SweepTable, WithoutAGridThereIsARunAPromptFile) {
  EXPECT_EQ(names_of(kHead), (std::vector<std::string>{"a", "b"}));
}

TEST(SweepTable, AGridKeyOfOneValueIsInTheName) {
  EXPECT_EQ(names_of("output_dir: out\nprompts: a.toml\ngrid: {rank: [4]}\n"),
            (std::vector<std::string>{"a,rank=4"}));
}

TEST(SweepTable, ExcludeDropsWhatMatchesAllOfAnEntry) {
  const std::string grid = kHead + "grid: {rank: [4, 8], seed: [1, 2]}\n";
  EXPECT_EQ(names_of(grid + "exclude: [{rank: 4, seed: 2}, {prompts: b}]\n"),
            (std::vector<std::string>{"a,rank=4,seed=1", "a,rank=8,seed=1", "a,rank=8,seed=2"}));
  EXPECT_EQ(runs_of(grid + "exclude: [{rank: 16}]\n").notices,
            (std::vector<std::string>{"s.yaml, line 4: entry 1 of exclude matches no run"}));
}

TEST(SweepTable, IncludeAddsARunAnEntryAndPromptFile) {
  EXPECT_EQ(names_of(kHead + "grid: {rank: [4]}\ninclude: [{rank: 64, alpha: 1}, {seed: 3, prompts: b}]\n"),
            (std::vector<std::string>{"a,rank=4", "b,rank=4", "a,rank=64,alpha=1", "b,rank=64,alpha=1",
                                      "b,rank=usual,seed=3"}));
}

// By tests/parity/reference_draws.py: d = Draws(5, purpose 11), order = 0 … 9, for j = 9 … 1 swap order[j]
// with order[d.integer(9 − j, j + 1)]; the first four, sorted.
TEST(SweepTable, SampleTakesADrawnSubsetInTheOrderOfTheTable) {
  const std::string grid = kHead + "grid: {seed: [1, 2, 3, 4, 5]}\n";
  const auto all = names_of(grid);
  const auto some = names_of(grid + "sample: {count: 4, seed: 5}\n");
  EXPECT_EQ(some, (std::vector<std::string>{all[3], all[4], all[5], all[7]}));
  EXPECT_NE(some, names_of(grid + "sample: {count: 4, seed: 6}\n"));
  EXPECT_EQ(names_of(grid + "sample: {count: 1, seed: 5}\ninclude: [{seed: 9}]\n").size(), 3u);
}

TEST(SweepTable, RefusalsNameLineAndKey) {
  const auto expect = [](const std::string& text, const std::string& what) {
    EXPECT_EQ(error_of(text), what);
  };
  expect("prompts: a.toml\n",
         "s.yaml, line 1: 'output_dir' is missing: the folder that gets a folder for each run");
  expect("output_dir: out\n",
         "s.yaml, line 1: nothing to train: give 'prompts', a list of prompt files, or 'sliders', a list of "
         "targets");
  expect(kHead + "gird: {rank: [4]}\n",
         "s.yaml, line 3: top level: unknown key 'gird'; the nearest known key is 'grid'");
  expect(kHead + "grid: {rank: 4}\n",
         "s.yaml, line 3: grid: 'rank' must be a list of one value or more, not the integer 4");
  expect(kHead + "grid:\n  rank: [4, 8, 4]\n", "s.yaml, line 4: grid: 'rank' lists 4 twice");
  expect(kHead + "grid: {rank: [4]}\nexclude: [{rnak: 4}]\n",
         "s.yaml, line 4: entry 1 of exclude: 'rnak' is not in the grid; the nearest key is 'rank'");
  expect(
      kHead + "grid: {rank: [4]}\nexclude: [{prompts: c}]\n",
      "s.yaml, line 4: entry 1 of exclude: 'prompts' is the string \"c\"; expected the name of a prompt file "
      "without its ending, or of a slider; the nearest is 'a'");
  expect(kHead + "grid: {rank: [4]}\ninclude:\n  - rank: 4\n",
         "s.yaml, line 5: two runs would be named 'a,rank=4'; the grid has what this entry of include adds");
  expect("output_dir: out\nprompts:\n  - a.toml\n  - a.yaml\n",
         "s.yaml, line 4: two runs would be named 'a'; give one of the prompt files or sliders another name");
  expect(
      "output_dir: out\nprompts: results.csv.toml\n",
      "s.yaml, line 2: a run would be named 'results.csv', as a file that the sweep writes; give the prompt "
      "file or slider another name");
  expect(kHead + "sample: {count: 3, seed: 1}\n",
         "s.yaml, line 1: sample: count is 3, and the grid has 2 runs");
  expect(kHead + "sample: {count: 3}\n", "s.yaml, line 3: sample: 'seed' is missing");
  expect(kHead + "exclude: [{prompts: a}, {prompts: b}]\n",
         "s.yaml, line 1: there is no run: everything is excluded");
  expect(kHead + "ranks_per_run: 0\n",
         "s.yaml, line 3: top level: 'ranks_per_run' is 0; expected 1 to 1000000");
  expect(kHead + "name: a\nname: b\n", "s.yaml, line 4: the key 'name' is set twice; the other is in line 3");
  expect("- a\n", "s.yaml, line 1: a sweep is a table of keys, not a list");
}

TEST(SweepTable, AliasBombsAndHugeGridsAreRefused) {
  std::string bomb = kHead + "base:\n  a0: &a0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n";
  for (int i = 1; i < 9; ++i) {
    bomb += fmt::format("  a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("*a{}{}", i - 1, j < 9 ? ", " : "]\n");
  }
  EXPECT_NE(error_of(bomb).find("more than 100000 values"), std::string::npos);
  std::string grid = kHead + "grid:\n";
  for (const char* key : {"a", "b", "c", "d", "e"}) {
    grid += fmt::format("  {}: [", key);
    for (int i = 0; i < 20; ++i) grid += fmt::format("{}{}", i, i < 19 ? ", " : "]\n");
  }
  EXPECT_EQ(error_of(grid), "s.yaml, line 1: more than 100000 runs");
}

TEST(SweepTable, ASlidersFileSaysWhatTheEntrySaysAndKeepsItsLines) {
  const SweepSpec spec = parse_sweep_spec("s.yaml",
                                          "output_dir: out\n"
                                          "sliders:\n"
                                          "  - name: age\n"
                                          "    target_class: \"a \\\"person\\\"\"\n"
                                          "    positive: old\n"
                                          "    negative: young\n"
                                          "    resolutions: [256, [512, 256]]\n"
                                          "    weight: 0.5\n");
  for (const bool keeps_lines : {false, true}) {
    const std::string text = slider_file(spec.sliders[0], "/folder", keeps_lines);
    const PromptFile file = load_prompt_file("s.yaml", [&](const std::string&) { return text; });
    ASSERT_EQ(file.pairs.size(), 8u) << text;
    EXPECT_EQ(file.pairs[0].target, "a \"person\"");
    EXPECT_EQ(file.pairs[0].weight, 0.5);
    EXPECT_EQ(file.pairs[4].resolution.height, 512);
  }
  const SweepSpec wrong =
      parse_sweep_spec("s.yaml",
                       "output_dir: out\nsliders:\n  - name: age\n    target_class: \"\"\n"
                       "    positve: old\n");
  const std::string text = slider_file(wrong.sliders[0], "", true);
  const std::string error = testing::refusal_of(
      "s.yaml", [&] { load_prompt_file("s.yaml", [&](const std::string&) { return text; }); });
  EXPECT_NE(error.find("s.yaml, line 5"), std::string::npos) << error;
  EXPECT_NE(error.find("positve"), std::string::npos) << error;
}

}  // namespace
}  // namespace leco
