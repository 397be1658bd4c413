// Hidden states must be those of transformers.CLIPTextModel (make_text_golden.py wrote the expected ones).
#include "text/clip_text.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/read_file.h"
#include "io/file_source.h"
#include "text/prompt_embeddings.h"

namespace leco {
namespace {

using nlohmann::json;

constexpr double kTolerance = 1e-5;  // of the largest expected value
const std::string kToy = LECO_TEST_DATA "/toy-sd";

const json& about() {
  static const json parsed = json::parse(read_local_file(LECO_TEST_DATA "/golden/clip_text.json"));
  return parsed;
}

// The golden tensors whose names begin with `prefix`, under their names without it.
StateDict golden(const std::string& prefix) {
  const std::string path = LECO_TEST_DATA "/golden/clip_text.safetensors";
  const auto file = std::make_shared<StateDict>(LocalFileSource().open_safetensors(path));
  std::vector<TensorInfo> infos;
  for (const std::string& name : file->left()) {
    if (!name.starts_with(prefix)) continue;
    TensorInfo info = *file->find(name);
    info.name = name.substr(prefix.size());
    infos.push_back(info);
  }
  return StateDict(path, infos, [file, prefix](const TensorInfo& info) {
    return file->take(prefix + info.name, info.shape);
  });
}

torch::Tensor take(StateDict& tensors, const std::string& name) {
  const std::vector<int64_t> shape = tensors.find(name)->shape;
  return tensors.take(name, shape);
}

torch::Tensor kept_rows(const torch::Tensor& hidden) {
  return hidden.index_select(-2, at::tensor(about()["rows"].get<std::vector<int64_t>>()));
}

double relative_difference(const torch::Tensor& found, const torch::Tensor& expected) {
  EXPECT_EQ(found.sizes(), expected.sizes());
  return ((found - expected).abs().max() / expected.abs().max()).item<double>();
}

ClipTextConfig small_config() {
  return parse_clip_text_config(about()["small_config"].dump(), "small");
}

PromptEmbeddings encode_toy(const std::vector<std::string>& prompts) {
  LocalFileSource files;
  return encode_prompts({open_text_encoder(files, kToy, "text_encoder", "tokenizer")}, {}, prompts,
                        torch::kCPU);
}

TEST(ClipText, agrees_with_the_reference_on_the_toy_model) {
  const auto prompts = about()["prompts"].get<std::vector<std::string>>();
  const PromptEmbeddings embeddings = encode_toy(prompts);
  StateDict toy = golden("toy.");
  const torch::Tensor expected = take(toy, "hidden");
  for (size_t i = 0; i < prompts.size(); ++i) {
    const torch::Tensor& embedding = embeddings.at(prompts[i]).context;
    EXPECT_EQ(embedding.sizes(), (std::vector<int64_t>{77, 32}));
    EXPECT_FALSE(embedding.requires_grad());
    const double difference = relative_difference(kept_rows(embedding), expected[static_cast<int64_t>(i)]);
    EXPECT_LT(difference, kTolerance) << prompts[i];
    RecordProperty("difference" + std::to_string(i), fmt::format("{:.1e}", difference));
  }
}

TEST(ClipText, agrees_with_the_reference_on_a_gelu_model_with_other_sizes) {
  StateDict weights = golden("small.");
  const torch::Tensor ids = take(weights, "ids");
  const torch::Tensor hidden = take(weights, "hidden"), penultimate = take(weights, "penultimate");
  const ClipText encoder(small_config(), weights, torch::kCPU, torch::kFloat32);
  EXPECT_TRUE(weights.left().empty()) << weights.left().front();
  EXPECT_LT(relative_difference(kept_rows(encoder(ids)), hidden), kTolerance);
  EXPECT_LT(relative_difference(kept_rows(encoder.hidden_state(ids, 2)), penultimate), kTolerance);
}

TEST(ClipText, names_a_missing_and_a_misshaped_tensor) {
  const std::string name = "text_model.encoder.layers.1.mlp.fc1.weight";
  ClipTextConfig config = small_config();
  config.intermediate_size = 21;
  StateDict misshaped = golden("small.");
  StateDict missing = golden("small.");
  take(missing, name);
  for (auto [weights, settings, part] :
       {std::tuple(&misshaped, config, "text_model.encoder.layers.0.mlp.fc1.weight"),
        std::tuple(&missing, small_config(), name.c_str())}) {
    try {
      ClipText(settings, *weights, torch::kCPU, torch::kFloat32);
      ADD_FAILURE() << part;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ExitStatus::kUsage);
      EXPECT_NE(std::string(error.what()).find(part), std::string::npos) << error.what();
    }
  }
}

TEST(ClipText, refuses_a_config_it_cannot_follow_and_names_the_key) {
  const auto message_of = [](const char* key, const json& value) -> std::string {
    json config = about()["small_config"];
    if (value.is_null()) {
      config.erase(key);
    } else {
      config[key] = value;
    }
    try {
      parse_clip_text_config(config.dump(), "F/config.json");
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  };
  EXPECT_EQ(message_of("hidden_size", nullptr), "'F/config.json' has no 'hidden_size'");
  EXPECT_EQ(message_of("hidden_act", "relu"),
            "'F/config.json': 'hidden_act' is \"relu\"; \"quick_gelu\" or \"gelu\" is expected");
  EXPECT_EQ(message_of("num_attention_heads", 5),
            "'F/config.json': 'num_attention_heads' is 5; a divisor of hidden_size (12) is expected");
  EXPECT_EQ(message_of("max_position_embeddings", 64),
            "'F/config.json': 'max_position_embeddings' is 64; at least 77 is expected");
  EXPECT_EQ(message_of("layer_norm_eps", 0),
            "'F/config.json': 'layer_norm_eps' is 0; a number above 0 is expected");
  EXPECT_EQ(message_of("vocab_size", -1),
            "'F/config.json': 'vocab_size' is -1; a whole number from 1 to 16777216 is expected");
}

// The toy's folder, in which text_encoder/ holds another weight file than model.safetensors.
class OtherWeights final : public FileSource {
 public:
  explicit OtherWeights(std::string name) : name_(std::move(name)) {}
  bool exists(const std::string& path) override {
    if (path.starts_with(kToy + "/text_encoder/")) return path == kToy + "/text_encoder/" + name_;
    return local_.exists(path);
  }
  bool is_folder(const std::string& path) override { return local_.is_folder(path); }
  std::string read(const std::string& path) override { return local_.read(path); }
  StateDict open_safetensors(const std::string& path) override { return local_.open_safetensors(path); }
  StateDict open_weights(const std::string& path) override { return open_safetensors(path); }
  StateDict open_outline(const std::string& path) override { return local_.open_outline(path); }

 private:
  std::string name_;
  LocalFileSource local_;
};

TEST(PromptEmbeddings, say_which_weights_are_missing) {
  OtherWeights files("README.md");
  try {
    open_text_encoder(files, kToy, "text_encoder", "tokenizer");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("no such file: '" + kToy + "/text_encoder/model.safetensors'"),
              std::string::npos)
        << error.what();
  }
}

TEST(PromptEmbeddings, are_the_same_bits_whatever_prompts_stand_beside) {
  const PromptEmbeddings alone = encode_toy({"a big red circle"});
  const PromptEmbeddings among = encode_toy({"", "square", "a big red circle", "square", "a big red circle"});
  EXPECT_EQ(among.size(), 3u);
  EXPECT_TRUE(torch::equal(alone.at("a big red circle").context, among.at("a big red circle").context));
  EXPECT_THROW(alone.at("square"), Error);
}

}  // namespace
}  // namespace leco
