// LoRA files: what is written is in sd-scripts' form, what is read is this network's own or refused by name.
#include "lora/lora_file.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>

#include "comm/local_communicator.h"
#include "core/error.h"
#include "lora/lora_stack.h"
#include "tests/support/toy_model.h"
#include "train/trainer.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr LoraNetwork::Shape kShape = {.rank = 4, .alpha = 2.0};
constexpr const char* kLinear = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q";
constexpr const char* kConvolution = "lora_unet_down_blocks_0_attentions_0_proj_in";

class LoraFile : public testing::Test {
 protected:
  static void SetUpTestSuite() { unet_ = load_toy_unet(); }
  static void TearDownTestSuite() { unet_.reset(); }
  ~LoraFile() override { std::filesystem::remove(path_); }

  std::string write(const NamedTensors& tensors) const {
    write_safetensors(path_, tensors, {});
    return path_;
  }
  StateDict open() const { return LocalFileSource().open_safetensors(path_); }

  // The text of the usage error with which `network` refuses the file of these tensors.
  std::string refusal(LoraNetwork& network, const NamedTensors& tensors) const {
    write(tensors);
    try {
      load_lora(network, open());
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ExitStatus::kUsage);
      return error.what();
    }
    return "accepted";
  }

  static std::unique_ptr<UNet> unet_;
  const std::string path_ = testing::TempDir() + fmt::format("lora_file_test_{}.safetensors", getpid());
};
std::unique_ptr<UNet> LoraFile::unet_;

// A file that differs from a fresh network everywhere: rank, alpha and names as given.
NamedTensors trained(UNet& unet, LoraNetwork::Shape shape, torch::ScalarType dtype = torch::kFloat32) {
  LoraNetwork network(unet, shape, 1);
  network.weights().add_(0.25);
  NamedTensors tensors = lora_tensors(network, dtype);
  for (auto& [name, tensor] : tensors) tensor = tensor.clone();  // they are views of the network
  return tensors;
}

Tensor& named(NamedTensors& tensors, const std::string& name) {
  for (auto& [key, tensor] : tensors)
    if (key == name) return tensor;
  throw Error("no tensor " + name);
}

TEST_F(LoraFile, has_the_three_tensors_of_each_module_in_sd_scripts_form) {
  for (const auto dtype : {torch::kFloat32, torch::kFloat16, torch::kBFloat16}) {
    NamedTensors tensors = trained(*unet_, kShape, dtype);
    EXPECT_EQ(tensors.size(), 3 * 192u);
    for (const auto& [name, tensor] : tensors) EXPECT_EQ(tensor.scalar_type(), dtype) << name;
    EXPECT_EQ(named(tensors, std::string(kLinear) + ".lora_down.weight").sizes(),
              (std::vector<int64_t>{4, 32}));
    EXPECT_EQ(named(tensors, std::string(kLinear) + ".lora_up.weight").sizes(),
              (std::vector<int64_t>{32, 4}));
    EXPECT_EQ(named(tensors, std::string(kConvolution) + ".lora_down.weight").sizes(),
              (std::vector<int64_t>{4, 32, 1, 1}));
    EXPECT_EQ(named(tensors, std::string(kConvolution) + ".lora_up.weight").sizes(),
              (std::vector<int64_t>{32, 4, 1, 1}));
    const Tensor& alpha = named(tensors, std::string(kLinear) + ".alpha");
    EXPECT_EQ(alpha.dim(), 0);
    EXPECT_EQ(alpha.item<float>(), 2.0f);
  }
}

TEST_F(LoraFile, comes_back_bit_by_bit) {
  const NamedTensors tensors = trained(*unet_, kShape);
  write(tensors);
  LoraNetwork network(*unet_, kShape, 2);
  load_lora(network, open());
  const NamedTensors back = lora_tensors(network, torch::kFloat32);
  ASSERT_EQ(back.size(), tensors.size());
  for (size_t i = 0; i < back.size(); ++i)
    EXPECT_TRUE(torch::equal(back[i].second, tensors[i].second)) << back[i].first;
}

TEST_F(LoraFile, in_half_precision_gives_its_values_as_float32) {
  for (const auto dtype : {torch::kFloat16, torch::kBFloat16}) {
    const NamedTensors tensors = trained(*unet_, kShape, dtype);
    write(tensors);
    LoraNetwork network(*unet_, kShape, 2);
    load_lora(network, open());
    EXPECT_EQ(network.weights().scalar_type(), torch::kFloat32);
    const NamedTensors back = lora_tensors(network, torch::kFloat32);
    for (size_t i = 0; i < back.size(); ++i)
      EXPECT_TRUE(torch::equal(back[i].second, tensors[i].second.to(torch::kFloat32))) << back[i].first;
  }
}

TEST_F(LoraFile, in_any_order_of_keys_is_the_same_lora) {
  NamedTensors tensors = trained(*unet_, kShape);
  LoraNetwork one(*unet_, kShape, 2);
  write(tensors);
  load_lora(one, open());
  const Tensor expected = one.weights().clone();
  std::map<std::string, Tensor, std::greater<>> turned(tensors.begin(), tensors.end());
  std::vector<TensorInfo> infos;
  for (const auto& [name, tensor] : turned)
    infos.push_back({.name = name, .dtype = tensor.scalar_type(), .shape = tensor.sizes().vec()});
  one.weights().zero_();
  load_lora(one, StateDict("turned", infos, [&](const TensorInfo& info) { return turned.at(info.name); }));
  EXPECT_TRUE(torch::equal(one.weights(), expected));
}

TEST_F(LoraFile, without_alpha_has_the_rank_as_alpha) {
  NamedTensors tensors = trained(*unet_, {.rank = 4, .alpha = 4.0});
  std::erase_if(tensors, [](const auto& entry) { return entry.first.ends_with(".alpha"); });
  LoraNetwork same(*unet_, {.rank = 4, .alpha = 4.0}, 2);
  EXPECT_EQ(refusal(same, tensors), "accepted");
}

TEST_F(LoraFile, of_another_rank_or_alpha_is_refused_with_the_flag_to_give) {
  LoraNetwork network(*unet_, kShape, 2);
  const std::string rank = refusal(network, trained(*unet_, {.rank = 8, .alpha = 2.0}));
  EXPECT_NE(rank.find(", this run --network_dim=4; --dim_from_weights takes"), std::string::npos) << rank;
  EXPECT_NE(rank.find("has rank 8 at 'lora_unet_"), std::string::npos) << rank;
  const std::string alpha = refusal(network, trained(*unet_, {.rank = 4, .alpha = 1.0}));
  EXPECT_NE(alpha.find("has alpha 1 at 'lora_unet_"), std::string::npos) << alpha;
  EXPECT_NE(alpha.find(", this run --network_alpha=2; --dim_from_weights takes"), std::string::npos) << alpha;
}

TEST_F(LoraFile, with_missing_foreign_or_misshaped_tensors_is_refused_by_name) {
  LoraNetwork network(*unet_, kShape, 2);
  const std::string up = std::string(kLinear) + ".lora_up.weight";

  NamedTensors missing = trained(*unet_, kShape);
  std::erase_if(missing, [&](const auto& entry) { return entry.first == up; });
  EXPECT_NE(refusal(network, missing).find("has no tensor '" + up + "'"), std::string::npos);

  NamedTensors foreign = trained(*unet_, kShape);
  foreign.emplace_back("lora_te_text_model_encoder_layers_0_mlp_fc1.alpha", at::scalar_tensor(1.0f));
  EXPECT_NE(refusal(network, foreign).find("first 'lora_te_text_model_encoder_layers_0_mlp_fc1.alpha'"),
            std::string::npos);

  NamedTensors misshaped = trained(*unet_, kShape);
  named(misshaped, up) = at::zeros({33, 4});
  EXPECT_NE(refusal(network, misshaped).find("tensor '" + up + "' has shape [33, 4]"), std::string::npos);

  NamedTensors flat = trained(*unet_, kShape);  // a 1×1 convolution's module saved as a linear layer's
  named(flat, std::string(kConvolution) + ".lora_down.weight") = at::zeros({4, 32});
  EXPECT_NE(refusal(network, flat).find("has shape [4, 32]"), std::string::npos);
}

TEST_F(LoraFile, whose_alpha_is_not_one_finite_number_is_refused_by_name) {
  LoraNetwork network(*unet_, kShape, 2);
  for (const auto& [alpha, found] : {std::pair{at::ones({3}), "has shape [3], a single number"},
                                     {at::full({}, NAN), "is nan, a finite number"}}) {
    NamedTensors tensors = trained(*unet_, kShape);
    named(tensors, std::string(kLinear) + ".alpha") = alpha;
    const std::string refused = fmt::format("': the alpha of '{}' {} is expected", kLinear, found);
    EXPECT_NE(refusal(network, tensors).find(refused), std::string::npos);
    EXPECT_THROW(layers_of_file(*unet_, open(), {}), Error);
    EXPECT_THROW(LoraStack(*unet_).add(open()), Error);
  }
}

// --network_weights: two steps, saved and loaded into a new run, go on as the first run does. Only the
// optimizer's moments are not in the file, so the comparison ends before the update.
TEST_F(LoraFile, starts_a_run_where_the_other_stood) {
  TrainSettings settings;
  settings.seed = 3;
  settings.pairs_per_step = 2;
  settings.max_denoising_steps = 4;
  settings.network_alpha = kShape.alpha;
  settings.learning_rate = 1e-2;
  const std::vector<PromptPair> pairs = {
      {.target = "circle", .positive = "circle", .unconditional = "", .neutral = "", .resolution = {64, 64}}};
  const PromptEmbeddings embeddings = encode_with_toy({"circle", ""});
  const auto comm = make_local_communicator();
  StepReport continued;
  Tensor weights;
  {
    LoraNetwork network(*unet_, kShape, *settings.seed);
    Trainer trainer({settings, pairs, *unet_, embeddings, network, *comm});
    trainer.step(0);
    trainer.step(1);
    write(lora_tensors(network, torch::kFloat32));
    weights = network.weights().clone();
    continued = trainer.step(2);
  }
  LoraNetwork network(*unet_, kShape, 77);
  load_lora(network, open());
  EXPECT_TRUE(torch::equal(network.weights(), weights));
  Trainer trainer({settings, pairs, *unet_, embeddings, network, *comm});
  const StepReport started = trainer.step(2);
  EXPECT_EQ(started.loss, continued.loss);
  EXPECT_EQ(started.gradient_norm, continued.gradient_norm);
}

}  // namespace
}  // namespace leco
