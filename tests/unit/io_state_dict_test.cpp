#include "io/state_dict.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace leco
