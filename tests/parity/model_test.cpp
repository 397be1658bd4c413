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
  for (const ChosenLayer& chosen : choose_layers(*unet_, {})) found.push_back(chosen.layer->name());
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

// The network of a golden: the contract's lora_down, and a lora_up that is not zero.
std::unique_ptr<LoraNetwork> golden_network(UNet& unet, const NetworkArgs& args) {
  auto network = std::make_unique<LoraNetwork>(unet, LoraShape{.rank = 4, .alpha = 2.0, .args = args}, kSeed);
  const torch::NoGradGuard no_gradient;
  for (const auto& module : network->modules()) {
    Tensor up = module->up();
    up.copy_(0.25 *
             normals(up.sizes().vec(),
                     {.purpose = Purpose::kLoraInitialisation, .item = 1, .sub = module->site().index}));
  }
  return network;
}

// The gradients in the golden, each against the module's of its name.
void expect_shown_gradients(const LoraNetwork& network, const Golden& golden, size_t expected) {
  size_t shown = 0;
  for (const auto& module : network.modules()) {
    for (const TensorInfo& info : golden.tensors()) {
      if (info.name.substr(0, info.name.find('.')) != module->file_name()) continue;
      const Tensor& ours =
          info.name.ends_with("lora_down.weight") ? module->down().grad() : module->up().grad();
      EXPECT_TRUE(is_near("gradient " + info.name.substr(10), ours.reshape(info.shape), golden[info.name],
                          kGradientTolerance));
      ++shown;
    }
  }
  EXPECT_EQ(shown, expected);
}

class ToyUNetWithLora : public ToyUNet {
 protected:
  // The golden's output, loss and gradients, at multiplier 1.5.
  void expect_golden(const std::string& file, const NetworkArgs& args, size_t shown) const {
    const Golden golden(file);
    const auto network = golden_network(*unet_, args);
    const Tensor output = predict(*unet_, inputs_["latents"], inputs_["timesteps"], inputs_["embeddings"],
                                  adapters_on({1.5}, torch::kCPU));
    EXPECT_TRUE(is_near("lora: output at multiplier 1.5", output, golden["output"], kTolerance));
    const Tensor y = normals({2, 4, 16, 16}, {.purpose = Purpose::kInitialLatents, .item = 2});
    const Tensor loss = (output - y).square().mean();
    EXPECT_TRUE(is_near("lora: loss", loss, golden["loss"], kTolerance));
    loss.backward();
    std::vector<Tensor> down, up;
    for (const auto& module : network->modules()) {
      down.push_back(module->down().grad());
      up.push_back(module->up().grad());
    }
    expect_shown_gradients(*network, golden, shown);
    const std::string count = std::to_string(down.size());
    EXPECT_TRUE(is_near("lora: norms of " + count + " gradients of lora_down", norms_of(down),
                        golden["down_gradient_norms"], kTolerance));
    EXPECT_TRUE(is_near("lora: norms of " + count + " gradients of lora_up", norms_of(up),
                        golden["up_gradient_norms"], kTolerance));
  }
};

TEST_F(ToyUNetWithLora, gives_the_output_the_loss_and_every_gradient) {
  expect_golden("lora.safetensors", {}, 10);
}

TEST_F(ToyUNetWithLora, on_convolutions_gives_the_output_the_loss_and_every_gradient) {
  expect_golden("locon.safetensors", {.conv_dim = 3, .conv_alpha = 1.5}, 12);
}

// One call of two samples with a multiplier each is two calls: also where the time embedding is one row.
TEST_F(ToyUNetWithLora, on_convolutions_follows_the_multiplier_of_each_sample) {
  const torch::NoGradGuard no_gradient;
  const auto network = golden_network(*unet_, {.conv_dim = 3});
  const Tensor timestep = at::tensor({500}, torch::kInt64);
  const Tensor both = predict(*unet_, inputs_["latents"], timestep, inputs_["embeddings"],
                              adapters_on({1.5, -0.5}, torch::kCPU));
  for (const auto& [sample, multiplier] : {std::pair{0, 1.5}, {1, -0.5}}) {
    const Tensor alone =
        predict(*unet_, inputs_["latents"].narrow(0, sample, 1), timestep,
                inputs_["embeddings"].narrow(0, sample, 1), adapters_on({multiplier}, torch::kCPU));
    EXPECT_TRUE(is_near("locon: a sample of two, multiplier " + std::to_string(multiplier),
                        both.narrow(0, sample, 1), alone, kTolerance));
  }
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
