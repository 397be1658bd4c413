#include "io/state_dict.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "core/error.h"

namespace leco {
namespace {

StateDict some_weights() {
  const auto ones = [](const TensorInfo& info) {
    return torch::ones(info.shape, torch::TensorOptions(info.dtype));
  };
  return StateDict(
      "unet.safetensors",
      {{"conv_in.weight", torch::kFloat32, {4, 3}, 0, 48}, {"conv_in.bias", torch::kFloat16, {4}, 48, 56}},
      ones);
}

std::string message_of(StateDict& weights, const std::string& name, const std::vector<int64_t>& shape) {
  try {
    weights.take(name, shape);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    return error.what();
  }
  return {};
}

TEST(StateDict, GivesEachTensorOnce) {
  StateDict weights = some_weights();
  EXPECT_EQ(weights.left(), (std::vector<std::string>{"conv_in.bias", "conv_in.weight"}));
  ASSERT_NE(weights.find("conv_in.weight"), nullptr);
  const torch::Tensor weight = weights.take("conv_in.weight", {4, 3});
  EXPECT_EQ(weight.sizes(), (std::vector<int64_t>{4, 3}));
  EXPECT_FALSE(weights.contains("conv_in.weight"));
  EXPECT_EQ(weights.find("conv_in.weight"), nullptr);
  EXPECT_EQ(weights.left(), std::vector<std::string>{"conv_in.bias"});
  EXPECT_EQ(message_of(weights, "conv_in.weight", {4, 3}),
            "'unet.safetensors' has no tensor 'conv_in.weight' of shape [4, 3]; the nearest name in it is "
            "'conv_in.bias'");
}

TEST(StateDict, NamesFileTensorAndShapesOfAMismatch) {
  StateDict weights = some_weights();
  EXPECT_EQ(message_of(weights, "conv_in.weight", {4, 9}),
            "'unet.safetensors': tensor 'conv_in.weight' has shape [4, 3], but the model needs [4, 9]");
  EXPECT_TRUE(weights.contains("conv_in.weight"));
  EXPECT_EQ(message_of(weights, "a name that resembles nothing in this file", {}),
            "'unet.safetensors' has no tensor 'a name that resembles nothing in this file' of shape []");
}

// What LDM's and OpenCLIP's files do to weights: other names, q, k and v as one, transposed, as a
// convolution.
StateDict fused_weights() {
  const std::map<std::string, torch::Tensor> tensors = {
      {"qkv", at::arange(12, torch::kFloat).view({6, 2})},
      {"projection", at::arange(6, torch::kFloat).view({2, 3})},
      {"kernel", at::arange(4, torch::kFloat).view({2, 2, 1, 1})}};
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : tensors) infos.push_back({name, torch::kFloat, tensor.sizes().vec()});
  StateDict weights("file", infos, [tensors](const TensorInfo& info) { return tensors.at(info.name); });
  weights.spell([](const std::string& name) -> StoredAs {
    if (name == "out") return {.name = "projection", .transposed = true};
    if (name == "proj") return {.name = "kernel", .convolution = true};
    return {.name = "qkv", .part = name == "q" ? 0 : name == "k" ? 1 : 2, .parts = 3};
  });
  return weights;
}

TEST(StateDict, GivesWeightsAsTheyAreAskedForHoweverTheyAreStored) {
  StateDict weights = fused_weights();
  EXPECT_TRUE(weights.contains("k"));
  EXPECT_TRUE(weights.take("out", {3, 2}).equal(at::arange(6, torch::kFloat).view({2, 3}).t()));
  EXPECT_TRUE(weights.take("proj", {2, 2}).equal(at::arange(4, torch::kFloat).view({2, 2})));
  const torch::Tensor rows = at::arange(12, torch::kFloat).view({6, 2});
  EXPECT_TRUE(weights.take("v", {2, 2}).equal(rows.narrow(0, 4, 2)));
  EXPECT_TRUE(weights.take("q", {2, 2}).equal(rows.narrow(0, 0, 2)));
  EXPECT_TRUE(weights.take("k", {2, 2}).equal(rows.narrow(0, 2, 2)));
  EXPECT_TRUE(weights.left().empty());
}

TEST(StateDict, NamesTheTensorOfTheFileNotOfTheAsker) {
  StateDict weights = fused_weights();
  EXPECT_EQ(message_of(weights, "q", {3, 2}),
            "'file': tensor 'qkv' has shape [6, 2], but the model needs [9, 2]");
  EXPECT_EQ(message_of(weights, "out", {2, 3}),
            "'file': tensor 'projection' has shape [2, 3], but the model needs [3, 2]");
}

TEST(StateDict, NotesAllProblemsInsteadOfThrowingTheFirst) {
  StateDict weights = some_weights();
  std::vector<std::string> problems;
  weights.note_problems(problems);
  EXPECT_TRUE(weights.take("conv_in.weight", {4, 9}).is_meta());
  EXPECT_TRUE(weights.take("gone", {2}).is_meta());
  EXPECT_EQ(weights.take("conv_in.bias", {4}).scalar_type(), torch::kFloat16);
  ASSERT_EQ(problems.size(), 2u);
  EXPECT_NE(problems[0].find("[4, 9]"), std::string::npos);
  EXPECT_NE(problems[1].find("'gone'"), std::string::npos);
}

TEST(StateDict, KeepsWhatBelongsToAPart) {
  StateDict weights = some_weights();
  weights.keep([](const std::string& name) { return name.ends_with("bias"); });
  EXPECT_EQ(weights.left(), std::vector<std::string>{"conv_in.bias"});
  EXPECT_EQ(weights.numbers_left(), 4);
}

TEST(StateDict, JoinsShardsAndRefusesANameInTwoOfThem) {
  const auto shard = [](const std::string& origin, const std::string& name) {
    return StateDict(origin, {{name, torch::kFloat, {2}}},
                     [](const TensorInfo& info) { return at::ones(info.shape); });
  };
  std::vector<StateDict> shards;
  for (const char* name : {"a", "b"}) shards.push_back(shard(std::string("of ") + name, name));
  StateDict joined = join(std::move(shards));
  EXPECT_EQ(joined.origin(), "of a");
  EXPECT_TRUE(joined.take("b", {2}).equal(at::ones({2})));
  EXPECT_EQ(joined.left(), std::vector<std::string>{"a"});
  std::vector<StateDict> clashing;
  for (const char* origin : {"one", "two"}) clashing.push_back(shard(origin, "a"));
  try {
    join(std::move(clashing));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(std::string(error.what()), "'one' and 'two' both hold the tensor 'a'");
  }
}

// Every weight type, each kind of number that is none, at the first place, inside, and at the last.
TEST(StateDict, RefusesWeightsThatAreNoNumbers) {
  for (const auto type : {torch::kFloat16, torch::kBFloat16, torch::kFloat32, torch::kFloat64}) {
    for (const double bad : {std::nan(""), HUGE_VAL, -HUGE_VAL, 1.0}) {
      for (const int64_t place : {0, 5000, 9999}) {
        const torch::Tensor tensor = at::full({10000}, -3.0, type);
        tensor[place] = bad;
        StateDict weights("file", {{"w", type, {10000}}}, [&](const TensorInfo&) { return tensor; });
        if (bad == 1.0) {
          EXPECT_TRUE(weights.take_weight("w", {10000}).equal(tensor));
          continue;
        }
        EXPECT_THROW(weights.take_weight("w", {10000}), Error) << type << bad << place;
      }
    }
  }
}

TEST(StateDict, RefusesWeightsOfTypesThatAreNoneOfWeights) {
  StateDict weights("file", {{"w", torch::kInt8, {3}}},
                    [](const TensorInfo& info) { return at::zeros(info.shape, info.dtype); });
  try {
    weights.take_weight("w", {3});
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("tensor 'w' is stored as Char"), std::string::npos);
  }
}

}  // namespace
}  // namespace leco
