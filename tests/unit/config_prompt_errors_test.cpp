// Every bad key, type and value: one line that names the file, the line and the key.
#include <gtest/gtest.h>

#include "tests/unit/config_prompt_testing.h"

namespace leco {
namespace {

struct Case {
  std::string toml;
  std::string expected;  // a part of the message
};

void expect_refused(const std::vector<Case>& cases, const std::map<std::string, std::string>& files = {}) {
  for (const Case& c : cases) {
    const std::string message = refusal(c.toml, files);
    EXPECT_TRUE(message.starts_with("dir/p.toml, line ")) << message << "\nfor\n" << c.toml;
    EXPECT_NE(message.find(c.expected), std::string::npos) << message << "\nfor\n" << c.toml;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

const std::string kPair = "[[prompts]]\ntarget = \"t\"\n";  // the next line is line 3
const std::string kSlider =
    "[[targets]]\ntarget_class = \"t\"\npositive = \"p\"\n";  // the next line is line 4

TEST(PromptFileErrors, NameUnknownKeysWithTheNearestKnownOne) {
  expect_refused({
      {kPair + "guidance = 4",
       "line 3: [[prompts]] 1: unknown key 'guidance'; the nearest known key is 'guidance_scale'"},
      {kPair + kPair + "rank = 4", "line 5: [[prompts]] 2: unknown key 'rank'"},
      {kPair + "Target = \"x\"",
       "line 3: [[prompts]] 1: unknown key 'Target'; the nearest known key is 'target'"},
      {kSlider + "resolutoin = 8",
       "line 4: [[targets]] 1: unknown key 'resolutoin'; the nearest known key is 'resolution'"},
      {"gudance_scale = 1\n" + kPair,
       "line 1: top level: unknown key 'gudance_scale'; the nearest known key is 'guidance_scale'"},
      {"[[prompt]]\ntarget = \"a\"",
       "line 1: top level: unknown key 'prompt'; the nearest known key is 'prompts'"},
      {"[train]\nx = 1\n" + kPair, "line 1: top level: unknown key 'train'"},
      {"[slider]\nwieght = 1", "line 2: [slider]: unknown key 'wieght'; the nearest known key is 'weight'"},
      {"[slider]\n[[slider.prompts]]\ntarget = \"a\"", "[slider]: unknown key 'prompts'"},
      {"[[slider.targets]]\ntarget_clas = \"\"",
       "line 2: [[slider.targets]] 1: unknown key 'target_clas'; the nearest known key is 'target_class'"},
      {"prompts = [\n{target = \"a\"},\n{target = \"b\", wait = 1}]",
       "line 3: [[prompts]] 2: unknown key 'wait'; the nearest known key is 'weight'"},
      {"a.b.c = 1\n" + kPair, "line 1: top level: unknown key 'a'"},
  });
}

TEST(PromptFileErrors, ExplainKeysOfTheOtherKindOfEntry) {
  expect_refused({
      {kPair + "negative = \"n\"", "line 3: [[prompts]] 1: 'negative' is a key of sliders"},
      {kPair + "neutrals = [\"n\"]", "the nearest known key of a pair is 'neutral'"},
      {kPair + "resolutions = [8]", "the nearest known key of a pair is 'resolution'"},
      {kPair + "neutral_prompt_file = \"f\"", "'neutral_prompt_file' is a key of sliders"},
      {kPair + "prompt_file = \"f\"", "'prompt_file' is a key of sliders"},
      {kSlider + "unconditional = \"\"", "line 4: [[targets]] 1: 'unconditional' is a key of pairs"},
      {kSlider + "action = \"erase\"", "'action' is a key of pairs"},
      {kSlider + "target = \"x\"", "line 4: [[targets]] 1: 'target' makes this entry a pair"},
      {kPair + "target_class = \"x\"", "line 2: [[prompts]] 1: 'target' makes this entry a pair"},
  });
}

TEST(PromptFileErrors, NameMissingKeys) {
  expect_refused({
      {"\n[[prompts]]\npositive = \"p\"", "line 2: [[prompts]] 1: 'target' is missing"},
      {"[[targets]]\npositive = \"p\"", "line 1: [[targets]] 1: 'target_class' is missing"},
      {"[[targets]]\ntarget_class = \"t\"", "line 2: [[targets]] 1: a slider needs 'positive' or 'negative'"},
      {"[[targets]]\ntarget_class = \"t\"\npositive = \"\"\nnegative = \"\"", "one of them not \"\""},
      {"weight = 1\ntarget_class = \"t\"", "line 2: top level: a slider needs"},
      {"[[slider.targets]]\n", "line 1: [[slider.targets]] 1: 'target_class' is missing"},
  });
}

TEST(PromptFileErrors, NameFilesWithNothingToTrain) {
  for (const std::string toml :
       {"", "# nothing\n", "neutral = \"a\"\nguidance_scale = 2", "[slider]\nresolution = 64"}) {
    expect_refused({{toml, "line 1: the file holds nothing to train"}});
  }
}

TEST(PromptFileErrors, NameWrongTypesForEveryKey) {
  for (const std::string key : {"target", "positive", "unconditional", "neutral", "action"}) {
    for (const std::string value : {"1", "1.5", "true", "[\"a\"]", "{a = 1}", "1979-05-27"}) {
      expect_refused({{"[[prompts]]\n" + key + " = " + value,
                       "line 2: [[prompts]] 1: '" + key + "' must be a string, not "}});
    }
  }
  for (const std::string key :
       {"target_class", "positive", "negative", "neutral", "neutral_prompt_file", "prompt_file"}) {
    expect_refused(
        {{"[[targets]]\n" + key + " = 1", "must be a string, not the integer 1"},
         {key + " = 1\n" + kSlider, "line 1: top level: '" + key + "' must be a string, not the integer 1"}});
  }
  for (const std::string& entry : {kPair, kSlider, std::string("[slider]\n"), std::string()}) {
    for (const std::string key : {"guidance_scale", "multiplier", "weight"}) {
      for (const std::string value : {"\"1\"", "true", "[1.0]", "{}"}) {
        expect_refused({{entry + key + " = " + value, "'" + key + "' must be a number, not "}});
      }
      for (const std::string value : {"nan", "inf", "-inf", "1e300"}) {
        expect_refused(
            {{entry + key + " = " + value, "'" + key + "' must be a finite number, not the number "}});
      }
    }
    for (const std::string key : {"dynamic_resolution", "dynamic_crops"}) {
      for (const std::string value : {"1", "0", "\"true\"", "[]"}) {
        expect_refused({{entry + key + " = " + value, "'" + key + "' must be true or false, not "}});
      }
    }
    for (const std::string value : {"1.0", "\"1\"", "true"}) {
      expect_refused({{entry + "batch_size = " + value, "'batch_size' must be an integer, not "}});
    }
    for (const std::string value : {"0", "-1", "1000000000000"}) {
      expect_refused(
          {{entry + "batch_size = " + value, "'batch_size' must be 1 to 65536, not the integer " + value}});
    }
    for (const std::string value : {"[]", "\"a\"", "1"}) {
      expect_refused(
          {{entry + "preserve = " + value, "'preserve' must be a list of one string or more, not "}});
    }
  }
  expect_refused({
      {kPair + "preserve = [\"a\", 2]",
       "'preserve' must be a list of strings; its element 2 is the integer 2"},
      {kSlider + "neutrals = []",
       "line 4: [[targets]] 1: 'neutrals' must be a list of one string or more, not an empty list"},
      {kSlider + "neutrals = \"a\"", "'neutrals' must be a list of one string or more, not the string \"a\""},
      {kSlider + "neutrals = [\n\"a\",\nfalse]",
       "line 6: [[targets]] 1: 'neutrals' must be a list of strings; its element 2 is false"},
      {kPair + "action = \"remove\"",
       "line 3: [[prompts]] 1: 'action' must be \"erase\" or \"enhance\", not the string \"remove\""},
      {kPair + "action = \"Erase\"", "not the string \"Erase\""},
  });
}

TEST(PromptFileErrors, NameTablesInTheWrongShape) {
  expect_refused({
      {"[prompts]\ntarget = \"a\"",
       "line 1: top level: 'prompts' must be one or more entries [[prompts]], not a table"},
      {"prompts = []", "'prompts' must be one or more entries [[prompts]], not an empty list"},
      {"prompts = [1]", "[[prompts]] 1 must be a table, not the integer 1"},
      {"targets = []", "'targets' must be one or more entries [[targets]], not an empty list"},
      {"[slider.targets]\ntarget_class = \"a\"",
       "'targets' must be one or more entries [[slider.targets]], not a table"},
      {"[[slider]]\ntarget_class = \"a\"",
       "line 1: top level: 'slider' must be one table [slider], not a list"},
      {"slider = 3", "'slider' must be one table [slider], not the integer 3"},
  });
}

TEST(PromptFileErrors, NameBadResolutions) {
  for (const std::string value :
       {"500", "0", "-512", "512.0", "\"512\"", "true", "16392", "9223372036854775807", "{}"}) {
    expect_refused({{kPair + "resolution = " + value,
                     "line 3: [[prompts]] 1: 'resolution' must be pixels, a positive multiple of 8"},
                    {kPair + "resolution = [512, " + value + "]", "a positive multiple of 8"},
                    {kSlider + "resolutions = [" + value + "]", "'resolutions' must be pixels"},
                    {kSlider + "resolutions = [[64, " + value + "]]", "'resolutions' must be pixels"}});
  }
  expect_refused({
      {kPair + "resolution = []", "'resolution' must be an integer or [height, width], not a list of 0"},
      {kPair + "resolution = [512]", "not a list of 1"},
      {kPair + "resolution = [512, 512, 512]", "not a list of 3"},
      {kSlider + "resolutions = 512",
       "'resolutions' must be a list of resolutions, such as [512, [768, 512]], not the integer 512"},
      {kSlider + "resolutions = []", "not an empty list"},
      {kSlider + "resolutions = [\n64,\n[64]]",
       "line 6: [[targets]] 1: 'resolutions' must be an integer or [height, width]"},
      {kPair + "resolution = 72\ndynamic_resolution = true",
       "line 3: [[prompts]] 1: 'resolution' must be a multiple of 64 with dynamic_resolution, such as 64, "
       "not 72"},
      {"dynamic_resolution = true\n" + kSlider + "resolutions = [64, 8]", "such as 64, not 8"},
  });
}

TEST(PromptFileErrors, NameBadNeutralFiles) {
  expect_refused(
      {
          {kSlider + "prompt_file = \"no.txt\"",
           "line 4: [[targets]] 1: 'prompt_file' cannot be used: no such file: 'dir/no.txt'"},
          {"neutral_prompt_file = \"empty.txt\"\n" + kSlider,
           "line 1: top level: 'neutral_prompt_file' names 'dir/empty.txt', which holds no prompt"},
          {kSlider + "prompt_file = \"blank.txt\"", "holds no prompt"},
          {kSlider + "prompt_file = \"\"", "must name a text file"},
          {kSlider + "prompt_file = \"latin1.txt\"", "is not UTF-8 text"},
          {kSlider + "prompt_file = \"big.txt\"", "of 1000001 bytes; the limit is 1000000"},
      },
      {{"dir/empty.txt", ""},
       {"dir/blank.txt", " \n\r\n# c\n"},
       {"dir/latin1.txt", "f\xFCr"},
       {"dir/big.txt", std::string(1'000'001, 'a')}});
}

TEST(PromptFileErrors, NameBrokenTomlInOneLine) {
  expect_refused({
      {"[[prompts]]\ntarget = ", "line 2: column "},
      {"[[prompts]]\ntarget = 'a'\ntarget = 'b'", "line 3: column "},
      {"target = \"a\nb\"", "line 1: column "},
      {"target = \"\xFF\"", "not valid TOML"},
      {"[= 1", "line 1: column "},
      {"- target: a\n", "line 1: column 3: not valid TOML"},
      {std::string("target = \"a\0\"", 13), "not valid TOML"},
  });
}

TEST(PromptFileErrors, NameFilesThatExpandWithoutEnd) {
  std::string neutrals = "neutrals = [", sizes = "resolutions = [";
  for (int i = 0; i < 1000; ++i) neutrals += "'a',", sizes += "8,";
  expect_refused({{neutrals + "]\n" + sizes + "]\n" + kSlider, "more than 100000 pairs"}});
}

TEST(PromptFileErrors, NameOtherExtensions) {
  EXPECT_NE(refusal("", {}, "p.txt").find("must end in .toml, .yaml or .yml, not in '.txt'"),
            std::string::npos);
  EXPECT_NE(refusal("", {}, "toml").find("must end in .toml"), std::string::npos);
}

std::string repeated(const std::string& part, int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += part;
  return text;
}

TEST(TomlLimits, RefuseWhatWouldEndTheProcessInTheParser) {
  const std::string file = std::string(1'000'001, '#');
  EXPECT_NE(refusal(file).find("dir/p.toml: 1000001 bytes are too many"), std::string::npos);
  expect_refused({
      {"x = 1\n" + repeated("a.", 100'000) + "a = 1", "line 2: a dotted key deeper than 64 levels"},
      {repeated("a . ", 100) + "a = 1", "line 1: a dotted key"},
      {repeated("\"a\".", 100) + "a = 1", "a dotted key"},
      {"[" + repeated("a.", 100) + "a]", "a dotted key"},
      {"x = {" + repeated("a.", 100) + "a = 1}", "a dotted key"},
      {"x = '''\n'''\n" + repeated("a.", 100'000) + "a = 1", "line 3: a dotted key"},
      {"x = \"\"\"\"\"\"\"\"\n" + repeated("a.", 100'000) + "a = 1", "line 2: a dotted key"},
      {"x = \"\\\"\" # \"\n" + repeated("a.", 100'000) + "a = 1", "line 2: a dotted key"},
      {"x = " + repeated("[", 100'000), "lists and tables deeper than 64 levels"},
      {"x = " + repeated("{a=", 65), "lists and tables"},
  });
}

TEST(PromptFileErrors, NameATextWithAZeroByte) {
  EXPECT_NE(refusal("[[prompts]]\ntarget = \"a\\u0000b\"").find("p.toml, line 2: a text holds a zero byte"),
            std::string::npos);
  EXPECT_NE(refusal("[[prompts]]\ntarget = \"a\"\n\"b\\u0000\" = 1").find("line 3: a text holds a zero byte"),
            std::string::npos);
}

TEST(TomlLimits, LetHonestFilesPass) {
  const std::string dots = repeated("so. ", 100), brackets = repeated("[{", 100);
  for (const std::string quote : {"\"", "'", "\"\"\"", "'''"}) {
    EXPECT_EQ(load("[[prompts]]\ntarget = " + quote + dots + brackets + quote).pairs[0].target,
              dots + brackets);
  }
  EXPECT_EQ(load("# it's " + dots + brackets + "\"\"\"\n[[prompts]]\ntarget = 'a'").pairs.size(), 1u);
  EXPECT_EQ(load("[[prompts]]\ntarget = \"\"\"\n" + brackets + "\n" + dots + "\\\"\"\"\"\"").pairs.size(),
            1u);
  EXPECT_EQ(load(repeated("[[prompts]]\ntarget = 'a'\nweight = 0.5 # it's\n", 2000)).pairs.size(), 2000u);
  std::string sizes = "resolutions = [";
  for (int i = 0; i < 200; ++i) sizes += "[64,\n 64], ";
  EXPECT_EQ(load("guidance_scale = 1.5\n" + sizes + "]\n" + kSlider).pairs.size(), 400u);
  // Depth 64 itself is allowed; the keys are then unknown.
  EXPECT_NE(refusal(repeated("a.", 63) + "a = 1").find("unknown key 'a'"), std::string::npos);
  EXPECT_NE(refusal("a = " + repeated("[", 64) + repeated("]", 64)).find("unknown key 'a'"),
            std::string::npos);
}

}  // namespace
}  // namespace leco
