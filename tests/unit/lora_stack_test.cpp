// Several LoRA files on one U-Net: each counts at its strength, and a file that is not for this model is
// refused.
#include "lora/lora_stack.h"

#include <gtest/gtest.h>

#include <cmath>

#include "lora/adapter_config.h"
#include "lora/lora_file.h"
#include "tests/support/golden.h"
#include "tests/support/refusal.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

using torch::Tensor;

// A file's tensors, different from a fresh network everywhere.
NamedTensors trained(UNet& unet, LoraNetwork::Shape shape, uint64_t seed) {
  LoraNetwork network(unet, shape, seed);
  network.weights().add_(0.02);
  NamedTensors tensors = lora_tensors(network, torch::kFloat32);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();  // they are views of the network
  return tensors;
}

StateDict file_of(NamedTensors tensors) {
  std::vector<TensorInfo> infos;
  std::map<std::string, Tensor> by_name;
  for (auto& [name, tensor] : tensors) {
    infos.push_back({.name = name, .dtype = tensor.scalar_type(), .shape = tensor.sizes().vec()});
    by_name.emplace(name, tensor);
  }
  return {"x.safetensors", infos, [by_name](const TensorInfo& info) { return by_name.at(info.name); }};
}

class Stack : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    unet_ = load_toy_unet();
    text_ = encode_with_toy({"circle"}).at("circle").context.unsqueeze(0);
  }
  static void TearDownTestSuite() { unet_.reset(); }

  // With whatever is attached, at this scale.
  static Tensor output(double scale) {
    const torch::NoGradGuard no_gradient;
    const Tensor x = at::arange(4 * 16 * 16, torch::kFloat32).sin().view({1, 4, 16, 16});
    return predict(*unet_, x, at::tensor({500}, torch::kInt64), text_, adapters_on({scale}, torch::kCPU));
  }
  static std::string refusal(NamedTensors tensors) {
    LoraStack stack(*unet_);
    return leco::testing::refusal_of("x.safetensors", [&] { stack.add(file_of(std::move(tensors))); });
  }

  static std::unique_ptr<UNet> unet_;
  static Tensor text_;
};
std::unique_ptr<UNet> Stack::unet_;
Tensor Stack::text_;

TEST_F(Stack, of_one_file_is_that_network) {
  const NamedTensors tensors = trained(*unet_, {.rank = 3, .alpha = 2.0}, 1);
  Tensor expected;
  {
    LoraNetwork network(*unet_, {.rank = 3, .alpha = 2.0}, 9);
    load_lora(network, file_of(tensors));
    expected = output(1.5);
  }
  const Tensor bare = output(1.5);
  EXPECT_GT(relative_distance(expected, bare), 0.01);
  {
    LoraStack stack(*unet_);
    stack.add(file_of(tensors));
    EXPECT_EQ(stack.modules(), 192);
    EXPECT_TRUE(is_near("one file", output(1.5), expected, 1e-6));
  }
  EXPECT_TRUE(output(1.5).equal(bare)) << "a stack that is gone leaves nothing behind";
}

TEST_F(Stack, adds_files_of_different_rank_each_at_its_strength) {
  const NamedTensors first = trained(*unet_, {.rank = 3, .alpha = 2.0}, 1);
  const NamedTensors second = trained(*unet_, {.rank = 5, .alpha = 1.0}, 2);
  Tensor once, in_halves;
  {
    LoraStack stack(*unet_);
    stack.add(file_of(first), 0.7);
    stack.add(file_of(second), -1.5);
    EXPECT_EQ(stack.modules(), 2 * 192);
    once = output(1.0);
  }
  {
    LoraStack stack(*unet_);
    for (const double part : {0.25, 0.75}) {
      stack.add(file_of(second), -1.5 * part);
      stack.add(file_of(first), 0.7 * part);
    }
    in_halves = output(1.0);
  }
  EXPECT_TRUE(is_near("two files", in_halves, once, 1e-5));
}

TEST_F(Stack, takes_modules_that_have_no_alpha_at_their_rank) {
  NamedTensors tensors = trained(*unet_, {.rank = 4, .alpha = 4.0}, 1);
  LoraStack stack(*unet_);
  stack.add(file_of(tensors));
  const Tensor with_alpha = output(1.0);
  std::erase_if(tensors, [](const auto& named) { return named.first.ends_with(".alpha"); });
  LoraStack other(*unet_);
  other.add(file_of(tensors));
  EXPECT_TRUE(output(1.0).equal(with_alpha));
}

TEST_F(Stack, refuses_an_alpha_that_is_not_one_finite_number) {
  const NamedTensors tensors = trained(*unet_, {.rank = 2}, 1);
  const auto refusal_with = [&](const Tensor& alpha) {
    NamedTensors changed = tensors;
    for (auto& [name, tensor] : changed)
      if (name.ends_with("_0_proj_in.alpha")) tensor = alpha;
    return refusal(changed);
  };
  for (const auto& [alpha, said] :
       {std::pair{at::ones({3}), "_0_proj_in' has shape [3], a single number"},
        {at::ones({0}), "has shape [0], a single number is expected"},
        {at::scalar_tensor(std::nan("")), "is nan, a finite number is expected"},
        {at::scalar_tensor(1e300, torch::kFloat64), "is 1e+300, a finite number"}})
    EXPECT_NE(refusal_with(alpha).find(said), std::string::npos) << refusal_with(alpha);
}

TEST(AdapterConfig, refuses_what_it_cannot_take) {
  const auto refusal = [](const std::string& json) {
    return leco::testing::refusal_of("a/adapter_config.json",
                                     [&] { AdapterConfig(json, "", "a/adapter_config.json"); });
  };
  for (const auto& [json, said] :
       {std::pair{"[]", "'a/adapter_config.json' is not a JSON object"},
        {R"({"lora_alpha": "4"})", "'lora_alpha' is \"4\", a number is expected"},
        {R"({"use_dora": true})", "it is a DoRA"},
        {R"({"use_dora": 1})", "'use_dora' is 1, true or false is expected"},
        {R"({"use_rslora": "yes"})", "'use_rslora' is \"yes\", true or false"},
        {R"({"alpha_pattern": [4]})", "'alpha_pattern' is [4], an object of numbers"},
        {R"({"alpha_pattern": {"to_q": null}})", "'to_q' is null, a number is expected"},
        {R"({"alpha_pattern": {"to_.*": 4}})", "regular expression"}})
    EXPECT_NE(refusal(json).find(said), std::string::npos) << refusal(json);
}

TEST_F(Stack, refuses_what_is_no_lora_for_this_model) {
  const auto is_about = [](const std::string& message, const std::string& part) {
    EXPECT_NE(message.find(part), std::string::npos) << message;
  };
  is_about(refusal({{"some.weight", at::zeros({2})}}), "holds no LoRA in sd-scripts' layout");
  is_about(refusal({{"lora_unet_input_blocks_4_1_proj_in.lora_down.weight", at::zeros({2, 64})}}),
           "is a LoRA for another model: this SD 1.x model has none of its 1 modules");

  NamedTensors tensors = trained(*unet_, {.rank = 2}, 1);
  for (auto& [name, tensor] : tensors)
    if (name.ends_with("attn2_to_k.lora_down.weight")) tensor = at::zeros({2, 1024});
  is_about(refusal(tensors), "1024 → ");

  tensors = trained(*unet_, {.rank = 2}, 1);
  tensors.emplace_back("lora_te_text_model_encoder_layers_0_mlp_fc1.lora_down.weight", at::zeros({2, 64}));
  is_about(refusal(tensors), "holds 1 tensors that this SD 1.x U-Net has no layer for, first 'lora_te_");
}

}  // namespace
}  // namespace leco
