// Token ids must be those of transformers.CLIPTokenizerFast (make_text_golden.py wrote the expected ones).
#include "text/tokenizer.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/read_file.h"

namespace leco {
namespace {

using nlohmann::json;

const std::string kFolder = LECO_TEST_DATA "/toy-sd/tokenizer";

TokenizerFiles bare_files() {
  return {.folder = kFolder,
          .vocab_json = read_local_file(kFolder + "/vocab.json"),
          .merges_txt = read_local_file(kFolder + "/merges.txt"),
          .tokenizer_config_json = {},
          .special_tokens_map_json = {},
          .added_tokens_json = {}};
}

TokenizerFiles toy_files() {
  TokenizerFiles files = bare_files();
  files.tokenizer_config_json = read_local_file(kFolder + "/tokenizer_config.json");
  files.special_tokens_map_json = read_local_file(kFolder + "/special_tokens_map.json");
  return files;
}

const Tokenizer& toy_tokenizer() {
  static const Tokenizer tokenizer(toy_files());
  return tokenizer;
}

const json& golden() {
  static const json parsed = json::parse(read_local_file(LECO_TEST_DATA "/golden/tokenizer.json"));
  return parsed;
}

void expect_cases(const Tokenizer& tokenizer, const json& cases, int64_t pad) {
  for (const json& text_and_ids : cases) {
    auto expected = text_and_ids[1].get<std::vector<int64_t>>();
    expected.resize(Tokenizer::kLength, pad);
    EXPECT_EQ(tokenizer.encode(text_and_ids[0].get<std::string>()), expected) << text_and_ids[0].dump();
  }
}

// The message of the usage error that `make` throws.
template <class Make>
std::string usage_error(Make make) {
  try {
    make();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    return error.what();
  }
  ADD_FAILURE() << "no error was thrown";
  return "";
}

TEST(Tokenizer, gives_the_ids_of_the_reference) {
  ASSERT_GE(golden()["cases"].size(), 400u);
  expect_cases(toy_tokenizer(), golden()["cases"], golden()["pad"].get<int64_t>());
}

TEST(Tokenizer, reads_special_tokens_as_the_reference_from_every_kind_of_folder) {
  for (const json& folder : golden()["folders"]) {
    SCOPED_TRACE(folder["name"].get<std::string>());
    TokenizerFiles files = bare_files();
    const auto text_of = [&](const char* name) {
      return folder["files"].contains(name) ? std::optional(folder["files"][name].get<std::string>())
                                            : std::nullopt;
    };
    files.tokenizer_config_json = text_of("tokenizer_config.json");
    files.special_tokens_map_json = text_of("special_tokens_map.json");
    files.added_tokens_json = text_of("added_tokens.json");
    expect_cases(Tokenizer(files), folder["cases"], folder["pad"].get<int64_t>());
  }
}

TEST(Tokenizer, keeps_the_first_75_tokens_and_shows_the_rest) {
  std::string prompt;
  for (int i = 0; i < 75; ++i) prompt += "circle ";
  const std::vector<int64_t> tokens = toy_tokenizer().tokens(prompt + "Big, RED\tsquare");
  ASSERT_EQ(tokens.size(), 79u);
  EXPECT_EQ(toy_tokenizer().text_of(std::span(tokens).subspan(75)), "big , red square");
  EXPECT_EQ(toy_tokenizer().framed(tokens), toy_tokenizer().encode(prompt));
}

TEST(Tokenizer, shows_a_cut_inside_a_character_without_breaking_utf8) {
  const std::vector<int64_t> tokens = toy_tokenizer().tokens("\u0378");  // two bytes, two tokens
  ASSERT_EQ(tokens.size(), 2u);
  EXPECT_EQ(toy_tokenizer().text_of(std::span(tokens).first(1)), "\uFFFD");
}

TEST(Tokenizer, takes_a_long_word_in_good_time) {
  EXPECT_EQ(toy_tokenizer().tokens(std::string(300'000, 'a')).size(), 37'501u);  // as the reference
}

TEST(Tokenizer, refuses_text_that_is_not_utf8) {
  for (const std::string text : {"a\xff", "a\xc3", "a\xed\xa0\x80", "a\xc0\xaf", "a\xf4\x90\x80\x80"}) {
    const std::string message = usage_error([&] { toy_tokenizer().encode(text); });
    EXPECT_NE(message.find("not valid UTF-8 at byte 1"), std::string::npos) << message;
  }
}

TEST(Tokenizer, names_file_and_place_of_what_is_wrong) {
  const auto message_of = [](auto change) {
    TokenizerFiles files = toy_files();
    change(files);
    return usage_error([&] { Tokenizer tokenizer(files); });
  };
  const auto expect_in = [](const std::string& part, const std::string& message) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  expect_in("vocab.json' is not a JSON object", message_of([](auto& files) { files.vocab_json = "[1"; }));
  expect_in("merges.txt', line 3",
            message_of([](auto& files) { files.merges_txt = "#version: 0.2\ni n\nt  h\n"; }));
  expect_in("'❄' is not in vocab.json",
            message_of([](auto& files) { files.merges_txt = "#version: 0.2\ni ❄\n"; }));
  expect_in("#version", message_of([](auto& files) { files.merges_txt = "i n\nt h\n"; }));
  expect_in("'tokenizer_class' is \"T5Tokenizer\"", message_of([](auto& files) {
              files.tokenizer_config_json = R"({"tokenizer_class": "T5Tokenizer"})";
            }));
  expect_in("'padding_side' is \"left\"",
            message_of([](auto& files) { files.tokenizer_config_json = R"({"padding_side": "left"})"; }));
  expect_in("key 'pad_token'", message_of([](auto& files) {
              files.tokenizer_config_json.reset();
              files.special_tokens_map_json = R"({"pad_token": 7})";
            }));
  expect_in("has the id 50000 there, but 49408", message_of([](auto& files) {
              files.tokenizer_config_json.reset();
              files.added_tokens_json = R"({"<cat>": 50000})";
            }));
  expect_in("'lstrip' is true", message_of([](auto& files) {
              files.tokenizer_config_json.reset();
              files.special_tokens_map_json =
                  R"({"pad_token": {"content": "x", "lstrip": true, "rstrip": false, "single_word": false}})";
            }));
}

}  // namespace
}  // namespace leco
