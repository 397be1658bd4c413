// What is wrong with a YAML prompt file: one line that names the file, the line and the key; hostile files
// end in such a line too, and soon.
#include <gtest/gtest.h>

#include <chrono>

#include "tests/unit/config_prompt_testing.h"

namespace leco {
namespace {

std::string yaml_refusal(const std::string& yaml) {
  return refusal(yaml, {}, "p.yaml");
}

void expect_refused(const std::string& yaml, const std::string& expected) {
  const std::string message = yaml_refusal(yaml);
  EXPECT_TRUE(message.starts_with("p.yaml, line ")) << message << "\nfor\n" << yaml.substr(0, 500);
  EXPECT_NE(message.find(expected), std::string::npos) << message << "\nfor\n" << yaml.substr(0, 500);
  EXPECT_EQ(message.find('\n'), std::string::npos) << message;
}

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

TEST(YamlErrors, NameUnknownKeysWithTheNearestKnownOne) {
  expect_refused(
      "- target: a\n  guidence: 4",
      "line 2: entry 1 of prompts: unknown key 'guidence'; the nearest known key is 'guidance_scale'");
  expect_refused("targets:\n- target_class: a\n  positve: b",
                 "line 3: entry 1 of targets: unknown key 'positve'; the nearest known key is 'positive'");
  expect_refused("tragets: []",
                 "line 1: top level: unknown key 'tragets'; the nearest known key is 'targets'");
  expect_refused("targets:\n- target_class: a\n  positive: b\nguidance: 4",
                 "line 4: top level: unknown key 'guidance'");
  expect_refused("- target: a\n  guidance: 4\n  guidance_scale: 4",
                 "line 2: entry 1 of prompts: 'guidance' means");
}

TEST(YamlErrors, NameWrongTypesAndSayThatQuotesHelp) {
  expect_refused(
      "- target: 2020",
      "line 1: entry 1 of prompts: 'target' must be a string, not the integer 2020; put it into quotes");
  expect_refused("- target: no", "'target' must be a string, not false; put it into quotes");
  expect_refused("- target: a\n  positive:",
                 "line 2: entry 1 of prompts: 'positive' must be a string, not nothing "
                 "(null); write \"\" for the empty string");
  expect_refused("- target: a\n  weight: heavy", "'weight' must be a number, not the string \"heavy\"");
  expect_refused("- target: a\n  weight: \"1\"", "'weight' must be a number, not the string \"1\"");
  expect_refused("- target: a\n  weight: .nan", "'weight' must be a finite number");
  expect_refused("- target: a\n  weight: 1e300", "'weight' must be a finite number");
  expect_refused("- target: a\n  batch_size: 1.5", "'batch_size' must be an integer, not the number 1.5");
  expect_refused("- target: a\n  resolution: 500", "'resolution' must be pixels, a positive multiple of 8");
  expect_refused("- target: a\n  action: swap", "'action' must be \"erase\" or \"enhance\"");
  expect_refused("- target: a\n  preserve: []",
                 "'preserve' must be a list of one string or more, not an empty list");
  expect_refused("- target: a\n  preserve: [a, 3]", "its element 2 is the integer 3; put it into quotes");
  expect_refused("- a\n- b", "entry 1 of prompts must be a table, not the string \"a\"");
  expect_refused("targets: {a: 1}",
                 "line 1: top level: 'targets' must be a list of one entry or more, not a table");
  expect_refused("[]", "'prompts' must be a list of one entry or more, not an empty list");
}

TEST(YamlErrors, NameFilesWithNothingToTrain) {
  for (const char* yaml : {"", "# nothing\n", "---\n", "guidance_scale: 2", "~"})
    expect_refused(yaml, "the file holds nothing to train; write a list of entries");
  expect_refused("just words", "line 1: the file is neither a list of entries nor a table of keys");
}

TEST(YamlErrors, NameWhatIsNoYaml) {
  expect_refused("- target: a\n  positive: [b", "not valid YAML");
  expect_refused("- target: \"a\n", "not valid YAML");
  expect_refused("- target: a\n positive: b", "not valid YAML");
  expect_refused("- target: a\n\tpositive: b", "not valid YAML");
  expect_refused("- target: f\xFCr", "line 1: the file is not UTF-8 text");
  expect_refused(std::string("- target: \0", 11), "line 1: the file is not UTF-8 text");
  expect_refused("- target: a\n---\n- target: b", "a second document");
  expect_refused("- target: a\n  target: b", "line 2: the key 'target' is set twice; the other is in line 1");
  expect_refused("- {? [a] : b}", "a list or table stands where a key is expected");
  expect_refused("- !!python/object:os.system {a: b}",
                 "the tag 'tag:yaml.org,2002:python/object:os.system' is not read");
  expect_refused("- target: !binary abc", "the tag '!binary' is not read");
  expect_refused("- target: !2 abc", "the tag '!2' is not read");
}

TEST(YamlErrors, OfAiToolkitJobsSayWhatCannotBeTakenOver) {
  const std::string head = "job: train\nconfig:\n  process:\n  - type: slider\n    slider:\n";
  const std::string targets = "      targets:\n      - {target_class: a, positive: b, negative: c";
  EXPECT_EQ(yaml_refusal(head + targets + "}\n"), "accepted");
  expect_refused(head + targets + ", shuffle: true}\n",
                 "line 7: entry 1 of slider.targets: 'shuffle' is refused: ");
  expect_refused(head + targets + ", wieght: 1}\n",
                 "unknown key 'wieght'; the nearest known key is 'weight'");
  expect_refused(head + "      anchors:\n      - prompt: x\n" + targets + "}\n",
                 "line 6: slider: 'anchors' is refused: ai-toolkit encodes these prompts and leaves them out "
                 "of its loss");
  expect_refused(head + "      use_adapter: depth\n" + targets + "}\n", "'use_adapter' is refused: ");
  expect_refused(head + "      resolution_list: 3\n" + targets + "}\n",
                 "slider: unknown key 'resolution_list'");
  expect_refused("job: train\nconfig: {}", "config: 'process' is missing");
  expect_refused("job: train",
                 "line 1: top level: 'job' makes this a job of ai-toolkit, and its 'config' is missing");
  expect_refused("config: {process: [{type: sd_trainer}]}",
                 "has no entry of type 'slider', only: sd_trainer");
  expect_refused("config: {process: [{type: slider}]}", "the section 'slider' is missing");
  expect_refused("config: {process: [{type: slider}, {type: slider}]}", "has 2 entries of type 'slider'");
  expect_refused("jobs: x\nconfig: {}", "unknown key 'jobs'; the nearest known key is 'job'");
}

TEST(YamlErrors, NameTextsThatAnEscapeMakesNoText) {
  for (const std::string escape : {"\\N", "\\_"}) {
    expect_refused("- target: a\n  positive: \"b" + escape + "c\"",
                   "line 2: a text is not UTF-8: of YAML's escapes write \\x85 for \\N and \\xA0 for \\_");
    expect_refused("- \"tar" + escape + "get\": a", "line 1: a text is not UTF-8");
  }
  expect_refused("- target: \"a\\0b\"", "line 1: a text holds a zero byte");
  EXPECT_EQ(load_yaml("- target: \"a\\x85\\xA0\\L\"").pairs[0].target, "a\xC2\x85\xC2\xA0\xE2\x80\xA8");
}

TEST(YamlLimits, RefuseWhatWouldFillMemoryOrTheStack) {
  EXPECT_NE(yaml_refusal(std::string(1'000'001, '#')).find("p.yaml: 1000001 bytes are too many"),
            std::string::npos);
  const auto start = std::chrono::steady_clock::now();
  std::string bomb = "a0: &a0 [x, x]\n";
  for (int i = 1; i < 40; ++i) {
    const std::string below = std::to_string(i - 1), name = std::to_string(i);
    bomb += "a" + name + ": &a" + name + " [*a" + below + ", *a" + below + "]\n";
  }
  expect_refused(bomb, "more than 100000 values");
  std::string tower = "a0: &a0 [x]\n";
  for (int i = 1; i < 80; ++i)
    tower += "a" + std::to_string(i) + ": &a" + std::to_string(i) + " [*a" + std::to_string(i - 1) + "]\n";
  expect_refused(tower, "deeper than 64 levels");
  expect_refused("a: &a [*a]", "an alias stands inside of what it names");
  expect_refused("a: *nobody", "not valid YAML");
  expect_refused("a: " + repeated("[", 70) + repeated("]", 70), "deeper than 64 levels");
  expect_refused("a: " + repeated("[", 400'000), "line 1: ");
  expect_refused("a: " + repeated("{b: ", 200'000), "deeper than 64 levels");
  expect_refused(repeated("- ", 400'000), "deeper than 64 levels");
  expect_refused(repeated("? ", 400'000), "a list or table stands where a key is expected");
  expect_refused("a: [" + repeated("x,", 300'000) + "]", "more than 100000 values");
  std::string keys;
  for (int i = 0; i < 90'000; ++i) keys += "k" + std::to_string(i) + ": 1\n";
  expect_refused(keys, "unknown key 'k0'");
  EXPECT_LT(std::chrono::steady_clock::now() - start, std::chrono::seconds(30));
}

}  // namespace
}  // namespace leco
