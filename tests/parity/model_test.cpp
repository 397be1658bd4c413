// The U-Net, its LoRA and the sampler must compute what diffusers computes (goldens of make_golden.py).
#include <gtest/gtest.h>

#include <sstream>

#include "core/philox.h"
#include "core/read_file.h"
#include "diffusion/sampler.h"
#include "lora/lora_network.h"
#include "tests/support/golden.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr uint64_t kSeed = 1234;
constexpr double kTolerance = 1e-5;  // relative: float32 sums in another order
// Where the signal cancels, as in the 2 × 2 pixels of the middle, diffusers' own gradients in float32 are
// 0.9e-5 from those in double.
constexpr double kGradientTolerance = 3e-5;

Tensor normals(std::vector<int64_t> shape, Draws::Use use) {
  Tensor filled = at::empty(shape, torch::kFloat32);
  Draws(kSeed, use).fill_normal({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())});
  return filled;
}

Tensor norms_of(const std::vector<Tensor>& tensors) {
  std::vector<double> norms;
  for (const Tensor& tensor : tensors) norms.push_back(tensor.to(torch::kFloat64).norm().item<double>());
  return at::tensor(norms, torch::kFloat64);
}

class ToyUNet : public testing::Test {
 protected:
  static void SetUpTestSuite() { unet_ = load_toy_unet(); }
  static void TearDownTestSuite() { unet_.reset(); }
  static std::unique_ptr<UNet> unet_;
  const Golden inputs_{"unet.safetensors"};
};
std::unique_ptr<UNet> ToyUNet::unet_;

TEST_F(ToyUNet, lists_the_modules_in_the_order_of_diffusers) {
  std::istringstream golden(read_local_file(LECO_TEST_DATA "/golden/modules.txt"));
  std::vector<std::string> expected, found;
  for (std::string line; std::getline(golden, line);) expected.push_back(line);
  for (const Linear* linear : unet_->transformer_linears()) found.push_back(linear->name());
  EXPECT_EQ(found, expected);
}

TEST_F(ToyUNet, predicts_a_batch_with_a_timestep_and_a_text_for_each_sample) {
  const torch::NoGradGuard no_gradient;
  const Tensor output = predict(*unet_, inputs_["latents"], inputs_["timesteps"], inputs_["embeddings"]);
  EXPECT_TRUE(is_near("unet: output, batch 2, two timesteps", output, inputs_["output"], kTolerance));
}

TEST_F(ToyUNet, predicts_at_sizes_that_no_level_divides) {
  const torch::NoGradGuard no_gradient;
  const Tensor output = predict(*unet_, inputs_["odd_latents"], inputs_["odd_timesteps"],
                                inputs_["embeddings"].narrow(0, 0, 1));
  EXPECT_TRUE(is_near("unet: output at 9 x 12 latents", output, inputs_["odd_output"], kTolerance));
}

TEST_F(ToyUNet, has_the_golden_inputs_itself) {
  EXPECT_TRUE(
      torch::equal(normals({2, 4, 16, 16}, {.purpose = Purpose::kInitialLatents}), inputs_["latents"]));
  const PromptEmbeddings ours = encode_with_toy({"a big red circle", ""});
  EXPECT_TRUE(is_near("text encoder: two prompts",
                      at::stack({ours.at("a big red circle").context, ours.at("").context}),
                      inputs_["embeddings"], kTolerance));
}

// The network of the golden: the contract's lora_down, and a lora_up that is not zero.
std::unique_ptr<LoraNetwork> golden_network(UNet& unet) {
  auto network = std::make_unique<LoraNetwork>(unet, LoraNetwork::Shape{.rank = 4, .alpha = 2.0}, kSeed);
  const torch::NoGradGuard no_gradient;
  for (const auto& module : network->modules()) {
    Tensor up = module->up();
    up.copy_(0.25 *
             normals(up.sizes().vec(),
                     {.purpose = Purpose::kLoraInitialisation, .item = 1, .sub = module->site().index}));
  }
  return network;
}

TEST_F(ToyUNet, with_a_lora_gives_the_output_the_loss_and_every_gradient) {
  const Golden golden("lora.safetensors");
  const auto network = golden_network(*unet_);
  const Tensor output = predict(*unet_, inputs_["latents"], inputs_["timesteps"], inputs_["embeddings"],
                                adapters_on({1.5}, torch::kCPU));
  EXPECT_TRUE(is_near("lora: output at multiplier 1.5", output, golden["output"], kTolerance));
  const Tensor y = normals({2, 4, 16, 16}, {.purpose = Purpose::kInitialLatents, .item = 2});
  const Tensor loss = (output - y).square().mean();
  EXPECT_TRUE(is_near("lora: loss", loss, golden["loss"], kTolerance));
  loss.backward();

  std::vector<Tensor> down, up;
  size_t shown = 0;
  for (const auto& module : network->modules()) {
    down.push_back(module->down().grad());
    up.push_back(module->up().grad());
    for (const TensorInfo& info : golden.tensors()) {
      const std::string name = info.name.substr(0, info.name.find('.'));
      if (name != module->file_name()) continue;
      const Tensor& ours = info.name.ends_with("lora_down.weight") ? down.back() : up.back();
      EXPECT_TRUE(is_near("gradient " + info.name.substr(10), ours.reshape(info.shape), golden[info.name],
                          kGradientTolerance));
      ++shown;
    }
  }
  EXPECT_EQ(shown, 10u);
  EXPECT_TRUE(is_near("lora: norms of 192 gradients of lora_down", norms_of(down),
                      golden["down_gradient_norms"], kTolerance));
  EXPECT_TRUE(is_near("lora: norms of 192 gradients of lora_up", norms_of(up), golden["up_gradient_norms"],
                      kTolerance));
}

TEST(Ddpm, advances_as_diffusers_scheduler_with_both_predictions) {
  const Golden golden("ddpm.safetensors");
  std::map<std::string, std::pair<std::vector<Tensor>, std::vector<Tensor>>> by_kind;  // found, expected
  for (const TensorInfo& info : golden.tensors()) {                                    // KIND.K.I
    std::istringstream parts(info.name);
    std::string kind, steps, index;
    if (!std::getline(parts, kind, '.') || !std::getline(parts, steps, '.') || !std::getline(parts, index))
      continue;  // an input
    const Sampler sampler({.kind = SamplerKind::kDdpm,
                           .steps = std::stoi(steps),
                           .prediction = kind == "epsilon" ? Prediction::kEpsilon : Prediction::kV});
    SamplerMemory memory;
    const Tensor after =
        sampler.advance(std::stoi(index), golden["x"], golden["prediction"], golden["z"], memory);
    EXPECT_LE(relative_distance(after, golden[info.name]), 1e-6) << info.name;
    by_kind[kind].first.push_back(after);
    by_kind[kind].second.push_back(golden[info.name]);
  }
  ASSERT_EQ(by_kind.size(), 2u);
  for (const auto& [kind, both] : by_kind)
    EXPECT_TRUE(is_near("ddpm: 15 steps, " + kind, at::stack(both.first), at::stack(both.second), 1e-6));
}

}  // namespace
}  // namespace leco
