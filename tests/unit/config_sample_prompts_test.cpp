#include "config/sample_prompts.h"

#include <gtest/gtest.h>

#include "tests/support/refusal.h"

namespace leco {
namespace {

std::vector<SamplePrompt> load(const std::string& path, const std::string& text) {
  return load_sample_prompts(path, [&](const std::string&) { return text; });
}

std::string refusal(const std::string& path, const std::string& text) {
  return testing::refusal_of(path, [&] { load(path, text); });
}

TEST(SamplePrompts, a_line_carries_every_option) {
  const auto prompts = load("p.txt",
                            "a cat, sitting --n a dog --w 512 --h 768 --d 18446744073709551615 --s 20 --l "
                            "7.5 --ss euler_a --m -1,0,0.5\n");
  ASSERT_EQ(prompts.size(), 1u);
  const SamplePrompt& prompt = prompts[0];
  EXPECT_EQ(prompt.prompt, "a cat, sitting");
  EXPECT_EQ(prompt.negative_prompt, "a dog");
  EXPECT_EQ(prompt.width, 512);
  EXPECT_EQ(prompt.height, 768);
  EXPECT_EQ(prompt.seed, 18446744073709551615u);
  EXPECT_EQ(prompt.sample_steps, 20);
  EXPECT_EQ(prompt.guidance_scale, 7.5);
  EXPECT_EQ(prompt.sample_sampler, "euler_a");
  EXPECT_EQ(prompt.multipliers, (std::vector<double>{-1, 0, 0.5}));
  EXPECT_EQ(prompt.place, "p.txt, line 1");
}

TEST(SamplePrompts, what_a_line_does_not_say_is_absent) {
  const SamplePrompt prompt = load("p.txt", "  a cat \r\n").at(0);
  EXPECT_EQ(prompt.prompt, "a cat");
  EXPECT_FALSE(prompt.negative_prompt || prompt.width || prompt.height || prompt.seed ||
               prompt.sample_steps || prompt.guidance_scale || prompt.sample_sampler);
  EXPECT_TRUE(prompt.multipliers.empty());
}

TEST(SamplePrompts, comments_and_blank_lines_are_left_out_and_lines_keep_their_numbers) {
  const auto prompts =
      load("p.TXT", "\xEF\xBB\xBF# drawn every 100 steps\n\n   \na cat\n#a dog\nein Mädchen, 女性 --m 1\n");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].place, "p.TXT, line 4");
  EXPECT_EQ(prompts[1].prompt, "ein Mädchen, 女性");
  EXPECT_EQ(prompts[1].place, "p.TXT, line 6");
}

TEST(SamplePrompts, options_are_found_behind_blanks_only_and_in_upper_case_too) {
  EXPECT_EQ(load("p.txt", "semi--realistic, a--w 5 --W 64").at(0).prompt, "semi--realistic, a--w 5");
  EXPECT_EQ(load("p.txt", "cat\t--W\t64").at(0).width, 64);
  EXPECT_EQ(load("p.txt", "--n bad").at(0).prompt, "");
  EXPECT_EQ(load("p.txt", "cat --l 3").at(0).guidance_scale, 3);
  EXPECT_EQ(load("p.txt", "cat --m -2").at(0).multipliers, (std::vector<double>{-2}));
}

TEST(SamplePrompts, bad_options_are_refused_with_file_and_line) {
  const std::pair<const char*, const char*> cases[] = {
      {"cat --g 3.5", "--g is the guidance that distilled models are told"},
      {"cat --cn pose.png", "--cn names a picture for ControlNet"},
      {"cat --x 3", "unknown option '--x'; known are --n --w --h --d --s --l --ss --m"},
      {"cat -- dog", "unknown option '--'"},
      {"cat --w 512 --w 64", "--w is given twice"},
      {"cat --w", "--w has no value; it must be a multiple of 8, in pixels"},
      {"cat --w 500", "--w must be a multiple of 8, in pixels, not '500'"},
      {"cat --h 0", "--h must be a multiple of 8"},
      {"cat --h 512px", "not '512px'"},
      {"cat --w 32000", "--w must be"},
      {"cat --s 0", "--s must be a whole number from 1 to 1000, not '0'"},
      {"cat --s 1001", "--s must be"},
      {"cat --s 2.5", "--s must be"},
      {"cat --d -1", "--d must be a whole number from 0, not '-1'"},
      {"cat --d 18446744073709551616", "--d must be"},
      {"cat --l nan", "--l must be a number"},
      {"cat --l 1e300", "--l must be a number"},
      {"cat --l 7.5.1", "--l must be a number"},
      {"cat --m 1,,2", "--m must be the LoRA's scale"},
      {"cat --m 1,", "--m must be the LoRA's scale"},
      {"cat --m inf", "--m must be the LoRA's scale"},
      {"cat --m one", "not 'one'"},
      {"caf\xe9", "not UTF-8"},
  };
  for (const auto& [line, why] : cases) {
    const std::string said = refusal("p.txt", std::string("# two lines\n") + line + "\n");
    EXPECT_NE(said.find("p.txt, line 2: "), std::string::npos) << line << ": " << said;
    EXPECT_NE(said.find(why), std::string::npos) << line << ": " << said;
  }
  EXPECT_NE(refusal("p.txt", std::string("a\0b", 3)).find("zero byte"), std::string::npos);
  EXPECT_NE(refusal("p.txt", "# nothing\n").find("holds no prompt"), std::string::npos);
  EXPECT_NE(refusal("p.csv", "a").find("not in '.csv'"), std::string::npos);
  EXPECT_NE(refusal("p.txt", std::string(1'000'001, 'a')).find("1000000 bytes"), std::string::npos);
}

TEST(SamplePrompts, toml_has_defaults_and_subsets) {
  const auto prompts = load("p.toml", R"(
[prompt]
negative_prompt = "blurry"
width = 512
scale = 7
[[prompt.subset]]
prompt = "a cat"
width = 640
seed = 3
[[prompt.subset]]
prompt = "a dog --w 8"
multiplier = [-1, 0, 1.5]
sample_sampler = "ddim"
)");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].prompt, "a cat");
  EXPECT_EQ(prompts[0].negative_prompt, "blurry");
  EXPECT_EQ(prompts[0].width, 640);
  EXPECT_EQ(prompts[0].guidance_scale, 7);
  EXPECT_EQ(prompts[0].seed, 3u);
  EXPECT_EQ(prompts[0].place, "p.toml, line 6");
  EXPECT_EQ(prompts[1].prompt, "a dog --w 8");  // as in sd-scripts: options stand in keys here
  EXPECT_EQ(prompts[1].width, 512);
  EXPECT_EQ(prompts[1].multipliers, (std::vector<double>{-1, 0, 1.5}));
}

TEST(SamplePrompts, bad_toml_is_refused_with_file_and_line) {
  const std::pair<const char*, const char*> cases[] = {
      {"prompt.subset = [{prompt = 3}]", "'prompt' must be a text"},
      {"prompt.subset = [{prompt = \"a\", widht = 64}]",
       "unknown key 'widht'; the nearest known key is 'width'"},
      {"prompt.subset = [{prompt = \"a\", guidance_scale = 3}]", "guidance here is --l, in tables 'scale'"},
      {"prompt.subset = [{prompt = \"a\", controlnet_image = \"b\"}]", "ControlNet"},
      {"prompt.subset = [{prompt = \"a\", width = 64.5}]",
       "'width' must be a multiple of 8, in pixels, not the number 64.5"},
      {"prompt.subset = [{prompt = \"a\", seed = -1}]", "'seed' must be a whole number from 0"},
      {"prompt.subset = [{prompt = \"a\", scale = \"7\"}]", "not the string \"7\""},
      {"prompt.subset = [{prompt = \"a\", multiplier = []}]", "'multiplier' must be"},
      {"prompt.subset = [{prompt = \"a\", multiplier = [1, \"2\"]}]", "'multiplier' must be"},
      {"prompt.subset = [{prompt = \"a\", seed = true}]", "not true"},
      {"prompt.subset = [{width = 64}]", "'prompt' is missing"},
      {"prompts = 3", "unknown key 'prompts'"},
      {"[prompt]\nprompt = \"a\"", "write each prompt as [[prompt.subset]]"},
      {"[prompt", "not valid TOML"},
  };
  for (const auto& [toml, why] : cases) {
    const std::string said = refusal("p.toml", toml);
    EXPECT_NE(said.find("p.toml, line "), std::string::npos) << said;
    EXPECT_NE(said.find(why), std::string::npos) << toml << ": " << said;
  }
  EXPECT_NE(refusal("p.toml", "").find("holds no prompt"), std::string::npos);
}

TEST(SamplePrompts, json_is_a_list_of_objects_or_lines) {
  const auto prompts =
      load("p.json", R"([{"prompt": "a cat", "seed": 18446744073709551615, "multiplier": -0.5},
                                          "a dog --w 64"])");
  ASSERT_EQ(prompts.size(), 2u);
  EXPECT_EQ(prompts[0].prompt, "a cat");
  EXPECT_EQ(prompts[0].seed, 18446744073709551615u);
  EXPECT_EQ(prompts[0].multipliers, (std::vector<double>{-0.5}));
  EXPECT_EQ(prompts[1].width, 64);
  EXPECT_EQ(prompts[1].place, "p.json, entry 2");
}

TEST(SamplePrompts, bad_json_is_refused_with_file_and_entry) {
  const std::pair<const char*, const char*> cases[] = {
      {"{}", "p.json: must be a list"},
      {"[\n3]", "p.json, entry 1: must be an object or a text"},
      {"[\"a\",\n]", "p.json, line 2: not valid JSON"},
      {"[{\"prompt\": \"a\", \"prompt\": \"b\"}]", "'prompt' comes twice"},
      {"[{\"prompt\": \"a\", \"Width\": 64}]", "the nearest known key is 'width'"},
      {"[{\"prompt\": null}]", "'prompt' must be a text, not null"},
      {"[\"a\", {\"width\": 64}]", "p.json, entry 2: 'prompt' is missing"},
      {"[{\"prompt\": \"a\", \"sample_steps\": 1e2}]",
       "'sample_steps' must be a whole number from 1 to 1000, not 100.0"},
      {"[\"a --g 1\"]", "p.json, entry 1: --g is"},
      {"[\"a\\u0000b\"]", "zero byte"},
      {R"([{"prompt": "a", "scale": 1e999}])", "a number that is too large"},
      {"[[[[[[[[[[[[1]]]]]]]]]]]]", "too deep"},
      {"[]", "holds no prompt"},
  };
  for (const auto& [text, why] : cases) {
    const std::string said = refusal("p.json", text);
    EXPECT_NE(said.find(why), std::string::npos) << text << ": " << said;
  }
  EXPECT_NE(refusal("p.json", std::string(100'000, '[')).find("too deep"), std::string::npos);
}

}  // namespace
}  // namespace leco
