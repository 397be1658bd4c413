// Blocks that are computed again for their gradients give the same bits as blocks that keep their inside.
#include <gtest/gtest.h>

#include "core/philox.h"
#include "lora/lora_network.h"
#include "model/recompute.h"
#include "tests/support/golden.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

using torch::Tensor;

struct Result {
  Tensor output, gradients;
};

Result with_gradients(UNet& unet, const NetworkArgs& args = {}) {
  const Golden inputs("unet.safetensors");
  LoraNetwork network(unet, {.rank = 4, .alpha = 2.0, .args = args}, 7);
  {
    const torch::NoGradGuard no_gradient;
    for (const auto& module : network.modules()) {
      Tensor up = module->up();
      Draws(7, {.purpose = Purpose::kLoraInitialisation, .item = 1, .sub = module->site().index})
          .fill_normal({up.data_ptr<float>(), static_cast<size_t>(up.numel())});
      up.mul_(0.1);
    }
  }
  AdapterPass pass = adapters_on({1.5, -1.0}, torch::kCPU);
  pass.dropout = std::make_shared<const DropoutMasks>(
      DropoutMasks::Draw{.seed = 7, .items = {0, 1}, .samples = 1, .neuron = 0.2}, torch::kCPU);
  const Tensor output = predict(unet, inputs["latents"], inputs["timesteps"], inputs["embeddings"], pass);
  pass.dropout.reset();  // backward() comes when the caller's masks are gone
  output.square().mean().backward();
  return {output.detach(), network.gradients().clone()};
}

class Recompute : public testing::TestWithParam<torch::ScalarType> {};

TEST_P(Recompute, gives_the_same_bits) {
  const auto kept = with_gradients(*load_toy_unet({.dtype = GetParam()}));
  const auto again = with_gradients(*load_toy_unet({.dtype = GetParam(), .recompute_blocks = true}));
  EXPECT_TRUE(torch::equal(kept.output, again.output));
  EXPECT_TRUE(torch::equal(kept.gradients, again.gradients));
  EXPECT_GT(again.gradients.ne(0).to(torch::kFloat32).mean().item<double>(), 0.9);
}

TEST_P(Recompute, gives_the_same_bits_where_convolutions_are_trained) {
  const NetworkArgs args{.conv_dim = 3};
  const auto kept = with_gradients(*load_toy_unet({.dtype = GetParam()}), args);
  const auto again = with_gradients(*load_toy_unet({.dtype = GetParam(), .recompute_blocks = true}), args);
  EXPECT_TRUE(torch::equal(kept.output, again.output));
  EXPECT_TRUE(torch::equal(kept.gradients, again.gradients));
  EXPECT_GT(again.gradients.ne(0).to(torch::kFloat32).mean().item<double>(), 0.9);
}

// The LoRA's own products in float32 or in the layers' type; what is rounded is as in the plain layers.
TEST_P(Recompute, with_trained_convolutions_stays_near_float32) {
  const NetworkArgs args{.conv_dim = 3};
  const auto exact = with_gradients(*load_toy_unet(), args);
  for (const bool in_dtype : {false, true}) {
    const auto found =
        with_gradients(*load_toy_unet({.dtype = GetParam(), .adapters_in_dtype = in_dtype}), args);
    const double output = relative_distance(found.output, exact.output);
    const double gradients = relative_distance(found.gradients, exact.gradients);
    print_distance(std::string("convolutions in ") + toString(GetParam()) + ": output", output, 0.05);
    print_distance(std::string("convolutions in ") + toString(GetParam()) + ": gradients", gradients, 0.15);
    EXPECT_LE(output, 0.05);
    EXPECT_LE(gradients, 0.15);
  }
}

INSTANTIATE_TEST_SUITE_P(Types, Recompute,
                         testing::Values(torch::kFloat32, torch::kBFloat16, torch::kFloat16),
                         [](const auto& test) { return std::string(toString(test.param)); });

TEST(RecomputedBlock, gives_gradients_to_inputs_and_parameters_alone) {
  const Tensor x = at::full({3}, 2.0).requires_grad_(), still = at::full({3}, 5.0);
  const Tensor parameter = at::full({3}, 3.0).requires_grad_(), unused = at::ones({3}).requires_grad_();
  int calls = 0;
  const auto block = [&calls, parameter](const Tensors& inputs) {
    ++calls;
    return inputs[0] * inputs[0] * parameter + inputs[1];
  };
  const Tensor y = recomputed(block, {x, still}, {parameter, unused});
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(y.requires_grad());
  y.sum().backward();
  EXPECT_EQ(calls, 2);
  EXPECT_TRUE(torch::equal(x.grad(), at::full({3}, 12.0)));
  EXPECT_TRUE(torch::equal(parameter.grad(), at::full({3}, 4.0)));
  EXPECT_FALSE(unused.grad().defined());
}

TEST(RecomputedBlock, is_just_called_where_no_gradient_is_wanted) {
  int calls = 0;
  const auto block = [&calls](const Tensors& inputs) {
    ++calls;
    return inputs[0] + 1;
  };
  EXPECT_FALSE(recomputed(block, {at::ones({2})}, {}).requires_grad());
  const Tensor parameter = at::ones({2}).requires_grad_();
  const torch::NoGradGuard no_gradient;
  EXPECT_FALSE(recomputed(block, {at::ones({2})}, {parameter}).requires_grad());
  EXPECT_EQ(calls, 2);
}

}  // namespace
}  // namespace leco
