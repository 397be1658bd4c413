// Contexts and pooled texts of SD 1.x, SD 2.x and SDXL must be those of transformers, and long prompts must
// be read as sd-scripts reads them (make_family_text_golden.py wrote the expected ones).
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/read_file.h"
#include "io/file_source.h"
#include "text/clip_projection.h"
#include "text/prompt_embeddings.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;
using Kind = TextSettings::Kind;

constexpr double kTolerance = 1e-5;  // of the largest expected value
const std::string kData = LECO_TEST_DATA;

const json& about() {
  static const json parsed = json::parse(read_local_file(kData + "/golden/family_text.json"));
  return parsed;
}

std::vector<TextEncoderSource> open_encoders(const std::string& model) {
  LocalFileSource files;
  const std::string folder = kData + "/" + model;
  std::vector<TextEncoderSource> encoders = {open_text_encoder(files, folder, "text_encoder", "tokenizer")};
  if (model == "tiny-sdxl")
    encoders.push_back(open_text_encoder(files, folder, "text_encoder_2", "tokenizer_2"));
  return encoders;
}

TextSettings settings_of(const json& test) {
  static const std::map<std::string, Kind> kinds = {
      {"sd1", Kind::kSd1}, {"sd2", Kind::kSd2}, {"sdxl", Kind::kSdxl}};
  TextSettings settings{.kind = kinds.at(test["kind"]), .max_token_length = test["length"], .clip_skip = {}};
  if (!test["clip_skip"].is_null()) settings.clip_skip = test["clip_skip"].get<int64_t>();
  return settings;
}

PromptEmbedding encode(const std::string& model, const TextSettings& settings, const std::string& prompt) {
  return encode_prompts(open_encoders(model), settings, {prompt}, torch::kCPU).at(prompt);
}

double relative_difference(const Tensor& found, const Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  return ((found - expected).abs().max() / expected.abs().max()).item<double>();
}

Tensor kept_rows(const Tensor& context) {
  std::vector<int64_t> rows;
  for (const int64_t row : about()["rows"])
    if (row < context.size(0)) rows.push_back(row);
  return context.index_select(0, at::tensor(rows));
}

Tensor take(StateDict& golden, const std::string& name) {
  const std::vector<int64_t> shape = golden.find(name)->shape;
  return golden.take(name, shape);
}

std::string message_of(const std::function<void()>& action) {
  try {
    action();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    return error.what();
  }
  return "accepted";
}

TEST(FamilyText, is_that_of_the_reference_for_every_family_length_and_clip_skip) {
  StateDict golden = LocalFileSource().open_safetensors(kData + "/golden/family_text.safetensors");
  double greatest = 0;
  for (const json& test : about()["cases"]) {
    const std::string key = test["key"], prompt = about()["prompts"][test["prompt"]];
    const TextSettings settings = settings_of(test);
    const PromptEmbedding found = encode(test["model"], settings, prompt);
    EXPECT_EQ(found.context.size(0), settings.max_token_length + 2);
    const double difference = relative_difference(kept_rows(found.context), take(golden, key));
    EXPECT_LT(difference, kTolerance) << key;
    EXPECT_EQ(found.pooled.defined(), settings.kind == Kind::kSdxl);
    if (found.pooled.defined()) {
      EXPECT_LT(relative_difference(found.pooled, take(golden, key + ".pooled")), kTolerance) << key;
    }
    greatest = std::max(greatest, difference);
  }
  EXPECT_EQ(golden.left(), std::vector<std::string>());
  fmt::print("greatest difference {:.1e}\n", greatest);
}

TEST(FamilyText, of_sdxl_does_not_depend_on_clip_skip) {
  const PromptEmbedding plain = encode("tiny-sdxl", {.kind = Kind::kSdxl}, "circle");
  const PromptEmbedding skipping = encode("tiny-sdxl", {.kind = Kind::kSdxl, .clip_skip = 2}, "circle");
  EXPECT_TRUE(torch::equal(plain.context, skipping.context));
  EXPECT_TRUE(torch::equal(plain.pooled, skipping.pooled));
}

TEST(FamilyText, takes_clip_skip_1_for_the_last_layer) {
  for (const auto& [model, kind] : {std::pair("toy-sd", Kind::kSd1), std::pair("tiny-sd2v", Kind::kSd2)})
    EXPECT_TRUE(torch::equal(encode(model, {.kind = kind, .clip_skip = 1}, "circle").context,
                             encode(model, {.kind = kind}, "circle").context));
}

TEST(FamilyText, refuses_a_clip_skip_that_the_encoder_does_not_have) {
  for (const int64_t skip : {0, 5}) {
    const std::string message =
        message_of([skip] { encode("tiny-sd2v", {.kind = Kind::kSd2, .clip_skip = skip}, ""); });
    EXPECT_TRUE(message.starts_with(fmt::format("--clip_skip={} is not possible", skip))) << message;
    EXPECT_NE(message.find("has 3 layers, so 1 (the last) to 4"), std::string::npos) << message;
  }
}

TEST(FamilyText, names_what_sdxls_second_encoder_lacks) {
  const auto encode_with = [](std::vector<TextEncoderSource> encoders) {
    return message_of([&] { encode_prompts(encoders, {.kind = Kind::kSdxl}, {""}, torch::kCPU); });
  };
  auto swapped = open_encoders("tiny-sdxl");
  std::swap(swapped[0], swapped[1]);
  EXPECT_NE(encode_with(swapped).find("text_projection.weight"), std::string::npos);
  auto unsaid = open_encoders("tiny-sdxl");
  unsaid[1].config.projection_dim = 0;
  EXPECT_NE(encode_with(unsaid).find("no 'projection_dim'"), std::string::npos);
  auto wrong = open_encoders("tiny-sdxl");
  wrong[1].config.projection_dim = 11;
  EXPECT_NE(encode_with(wrong).find("text_projection.weight"), std::string::npos);
}

// The identity as projection, so that the row that was taken shows.
TEST(ClipProjection, is_taken_at_the_end_token_or_under_the_old_rule_at_the_greatest_id) {
  const Tensor ids = at::tensor({9, 5, 7, 12, 7, 3, 9, 5, 1, 12, 12, 3}, torch::kInt64).view({2, 6});
  const Tensor hidden = at::arange(12, torch::kFloat32).view({2, 6, 1});
  const auto rows = [&](int64_t end) {
    StateDict weights("F", {{.name = "text_projection.weight", .dtype = torch::kFloat32, .shape = {1, 1}}},
                      [](const TensorInfo&) {
                        return at::ones({1, 1});
                      });
    ClipTextConfig config;
    config.hidden_size = config.projection_dim = 1;
    config.eos_token_id = end;
    return ClipProjection(config, weights, torch::kCPU, torch::kFloat32)(ids, hidden);
  };
  EXPECT_TRUE(torch::equal(rows(7), at::tensor({2.0f, 6.0f}).view({2, 1})));  // none in the second row
  EXPECT_TRUE(torch::equal(rows(ClipTextConfig::kLegacyEnd), at::tensor({3.0f, 9.0f}).view({2, 1})));
}

}  // namespace
}  // namespace leco
