// In 16 bits the U-Net and the LoRA's gradients must be about as near to float32 as diffusers' are in that
// type (precision.json, made by make_precision_golden.py), and a LoRA that is trained so must do what one of
// float32 does.
#include <fmt/format.h>
#include <torch/csrc/autograd/autograd.h>

#include "comm/local_communicator.h"
#include "core/philox.h"
#include "lora/adapter_products.h"
#include "tests/support/golden_steps.h"
#include "tests/support/toy_model.h"
#include "train/loss_scale.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

constexpr double kOfDiffusersDistance = 1.5;

const json& golden() {
  static const json parsed = golden_json("precision.json");
  return parsed;
}

torch::ScalarType type_named(const std::string& name) {
  return name == "bf16" ? torch::kBFloat16 : torch::kFloat16;
}

std::unique_ptr<UNet> load_unet(const std::string& model, Placement placement = {}) {
  LocalFileSource files;
  return open_base_model(files, LECO_TEST_DATA "/" + model)->load_unet(placement);
}

Golden inputs_of(const std::string& model) {
  return Golden(model == "toy-sd" ? "unet.safetensors" : "sd2v_unet.safetensors");
}

Tensor normals(std::vector<int64_t> shape, Draws::Use use) {
  Tensor filled = at::empty(shape, torch::kFloat32);
  Draws(1234, use).fill_normal({filled.data_ptr<float>(), static_cast<size_t>(filled.numel())});
  return filled;
}

// What a call with the LoRA of lora.safetensors gives: its output and all gradients of lora_up and of
// lora_down.
struct WithLora {
  Tensor output, up, down;
};

WithLora with_lora(UNet& unet, double factor, double scale) {
  const Golden inputs("unet.safetensors");
  LoraNetwork network(unet, {.rank = 4, .alpha = 2.0}, 1234);
  for (const auto& module : network.modules()) {
    const torch::NoGradGuard no_gradient;
    Tensor up = module->up();
    up.copy_(factor *
             normals(up.sizes().vec(),
                     {.purpose = Purpose::kLoraInitialisation, .item = 1, .sub = module->site().index}));
  }
  const Tensor output = predict(unet, inputs["latents"], inputs["timesteps"], inputs["embeddings"],
                                adapters_on({1.5}, torch::kCPU));
  const Tensor y = normals({2, 4, 16, 16}, {.purpose = Purpose::kInitialLatents, .item = 2});
  ((output - y).square().mean() * scale).backward();
  std::vector<Tensor> up, down;
  for (const auto& module : network.modules()) {
    up.push_back(module->up().grad().flatten() / scale);
    down.push_back(module->down().grad().flatten() / scale);
  }
  return {output.detach(), at::cat(up), at::cat(down)};
}

void expect_no_further(const std::string& what, double ours, double theirs) {
  print_distance(what, ours, kOfDiffusersDistance * theirs);
  EXPECT_LE(ours, kOfDiffusersDistance * theirs) << what;
}

TEST(Precision, outputs_are_as_near_to_float32_as_those_of_diffusers) {
  const torch::NoGradGuard no_gradient;
  for (const json& row : golden()["distances"]) {
    const std::string model = row["model"], type = row["type"];
    const Golden inputs = inputs_of(model);
    const auto unet = load_unet(model, {.dtype = type_named(type)});
    const Tensor output = predict(*unet, inputs["latents"], inputs["timesteps"], inputs["embeddings"]);
    expect_no_further(fmt::format("{} in {}: output", model, type),
                      relative_distance(output, inputs["output"]), row["plain"]);
  }
}

TEST(Precision, gradients_of_a_lora_are_as_near_to_float32_as_those_of_diffusers) {
  const auto exact_unet = load_unet("toy-sd");
  for (const json& row : golden()["distances"]) {
    if (!row.contains("lora")) continue;
    const std::string type = row["type"];
    const auto unet = load_unet("toy-sd", {.dtype = type_named(type)});
    const auto full = load_unet("toy-sd", {.dtype = type_named(type), .adapters_in_dtype = true});
    for (const json& lora : row["lora"]) {
      const WithLora exact = with_lora(*exact_unet, lora["factor"], 1);
      for (const auto& [name, model] : {std::pair{"", unet.get()}, {"full ", full.get()}}) {
        const WithLora found = with_lora(*model, lora["factor"], type == "fp16" ? 65536 : 1);
        const std::string what = fmt::format("{}{}, lora_up of {}", name, type, lora["factor"].get<double>());
        expect_no_further(what + ": output", relative_distance(found.output, exact.output), lora["output"]);
        expect_no_further(what + ": gradients of lora_up", relative_distance(found.up, exact.up), lora["up"]);
        expect_no_further(what + ": gradients of lora_down", relative_distance(found.down, exact.down),
                          lora["down"]);
      }
    }
  }
}

// Half a step of bfloat16 lies 2⁻⁹ from a weight: smaller updates must show where the adapter computes in
// float32, and gradients must not be rounded there; full_bf16 rounds both.
TEST(Precision, small_updates_of_weights_show_in_the_adapter) {
  const Tensor input = normals({64, 32}, {.purpose = Purpose::kInitialLatents}).to(torch::kBFloat16);
  const Tensor down =
      normals({4, 32}, {.purpose = Purpose::kNoiseOffset}).to(torch::kBFloat16).to(torch::kFloat32);
  const Tensor updated = down * (1 + 1e-4);
  const auto change = [&](bool full) {
    return relative_distance(lower(input, updated, full).to(torch::kFloat32),
                             lower(input, down, full).to(torch::kFloat32));
  };
  EXPECT_NEAR(change(false), 1e-4, 1e-6);
  EXPECT_EQ(change(true), 0.0);

  const auto gradient = [&](bool full) {
    Tensor leaf = down.clone().requires_grad_();
    lower(input, leaf, full).to(torch::kFloat32).square().sum().backward();
    return leaf.grad();
  };
  const auto rounded = [](const Tensor& x) { return x.to(torch::kBFloat16).to(torch::kFloat32); };
  EXPECT_FALSE(torch::equal(rounded(gradient(false)), gradient(false)));
  EXPECT_TRUE(torch::equal(rounded(gradient(true)), gradient(true)));
}

TEST(Precision, adapter_products_in_float32_have_autograds_own_gradients) {
  const Tensor input = normals({64, 32}, {.purpose = Purpose::kInitialLatents}).to(torch::kBFloat16);
  const Tensor base = normals({64, 16}, {.purpose = Purpose::kSamplerNoise}).to(torch::kBFloat16);
  const auto gradients = [&](auto products) {
    Tensors leaves = {input.clone().requires_grad_(), base.clone().requires_grad_(),
                      normals({4, 32}, {.purpose = Purpose::kNoiseOffset}).requires_grad_(),
                      normals({16, 4}, {.purpose = Purpose::kDropout}).requires_grad_()};
    Tensor output = leaves[1] * 1;
    products(output, leaves);
    return torch::autograd::grad({output.to(torch::kFloat32).square().sum()}, leaves);
  };
  const auto ours = gradients([](Tensor& output, const Tensors& leaves) {
    raise(output, lower(leaves[0], leaves[2], false), leaves[3], 0.7, false);
  });
  const auto plain = gradients([](Tensor& output, const Tensors& leaves) {
    const Tensor low = at::linear(leaves[0].to(torch::kFloat32), leaves[2]);
    output = (output.to(torch::kFloat32) + 0.7 * at::linear(low, leaves[3])).to(torch::kBFloat16);
  });
  for (size_t i = 0; i < ours.size(); ++i) EXPECT_LE(relative_distance(ours[i], plain[i]), 3e-3) << i;
}

TEST(LossScale, follows_torchs_gradient_scaler) {
  const json& scaler = golden()["scaler"];
  const auto overflows = scaler["overflows"].get<std::vector<int64_t>>();
  const auto shown = scaler["shown"].get<std::vector<int64_t>>();
  LossScale scale(MixedPrecision::kFloat16);
  std::vector<double> found;
  for (int64_t step = 0; step <= shown.back(); ++step) {
    scale.update(std::ranges::count(overflows, step) > 0);
    if (std::ranges::count(shown, step) > 0) found.push_back(scale.value());
  }
  EXPECT_EQ(found, scaler["scales"].get<std::vector<double>>());
  EXPECT_EQ(scale.state().skipped_steps, std::ssize(overflows));
}

TEST(LossScale, does_nothing_in_other_types) {
  LossScale scale(MixedPrecision::kBFloat16);
  for (int i = 0; i < 3000; ++i) scale.update(false);
  EXPECT_EQ(scale.value(), 1.0);
  EXPECT_FALSE(scale.may_overflow());
}

// The runs below: steps.json's, in a type.
struct Toy {
  json steps = golden_json("steps.json");
  std::vector<PromptPair> pairs = pairs_of(steps["pairs"]);
  PromptEmbeddings embeddings =
      encode_with_toy({"", "a big red circle", "a red circle", "circle", "a big circle", "a small circle"});
  TrainSettings settings = settings_of(steps["settings"]);
};

// An overflow is made by a scale that no gradient fits under.
TEST(LossScale, skips_the_step_whose_scaled_gradient_overflows_and_leaves_the_schedule) {
  Toy toy;
  toy.settings.mixed_precision = MixedPrecision::kFloat16;
  toy.settings.pairs_per_step = 1;
  toy.settings.max_denoising_steps = 3;
  const auto unet = load_toy_unet({.dtype = torch::kFloat16});
  LoraNetwork network(*unet, {.rank = 4, .alpha = 2}, 1);
  const auto comm = make_local_communicator();
  Trainer trainer({toy.settings, toy.pairs, *unet, toy.embeddings, network, *comm});
  trainer.loss_scale().restore({.scale = 0x1p38});
  const Tensor before = network.weights().clone();
  const StepReport skipped = trainer.step(0);
  EXPECT_TRUE(skipped.skipped);
  EXPECT_TRUE(std::isfinite(skipped.loss));
  EXPECT_EQ(skipped.loss_scale, 0x1p37);
  EXPECT_TRUE(torch::equal(network.weights(), before));
  EXPECT_EQ(trainer.loss_scale().state().skipped_steps, 1);

  trainer.loss_scale().restore({.scale = 1024, .skipped_steps = 1});
  const StepReport done = trainer.step(1);
  EXPECT_FALSE(done.skipped);
  EXPECT_TRUE(std::isfinite(done.gradient_norm));
  EXPECT_FALSE(torch::equal(network.weights(), before));
  EXPECT_EQ(trainer.loss_scale().state().clean_steps, 1);
}

// Whatever the scale, the gradient that the optimizer sees is the same, but for what float16 loses.
TEST(LossScale, does_not_show_in_the_gradient) {
  Toy toy;
  toy.settings.mixed_precision = MixedPrecision::kFloat16;
  toy.settings.pairs_per_step = 1;
  toy.settings.max_denoising_steps = 3;
  const auto unet = load_toy_unet({.dtype = torch::kFloat16});
  std::vector<double> norms;
  for (const double scale : {0x1p13, 0x1p15}) {
    LoraNetwork network(*unet, {.rank = 4, .alpha = 2}, 1);
    const auto comm = make_local_communicator();
    Trainer trainer({toy.settings, toy.pairs, *unet, toy.embeddings, network, *comm});
    trainer.loss_scale().restore({.scale = scale});
    norms.push_back(trainer.step(0).gradient_norm);
  }
  EXPECT_NEAR(norms[0], norms[1], 2e-3 * norms[1]);
}

// What a LoRA trained in a type changes in the float32 model's prediction.
Tensor effect(const Toy& toy, const Training& run) {
  const torch::NoGradGuard no_gradient;
  const Golden inputs("unet.safetensors");
  const auto unet = load_toy_unet();
  LoraNetwork network(*unet, {.rank = toy.settings.network_dim, .alpha = toy.settings.alpha()}, 1);
  network.weights().copy_(run.weights);
  const auto predicted = [&](const AdapterPass& pass) {
    return predict(*unet, inputs["latents"], inputs["timesteps"], inputs["embeddings"], pass);
  };
  return predicted(adapters_on({1.0}, torch::kCPU)) - predicted(adapters_off());
}

TEST(Precision, a_lora_trained_in_16_bits_does_what_one_of_float32_does) {
  Toy toy;
  toy.settings.pairs_per_step = 2;
  toy.settings.max_train_steps = 6;
  toy.settings.max_denoising_steps = 6;
  const auto trained = [&](MixedPrecision type, Placement placement) {
    toy.settings.mixed_precision = type;
    const auto unet = load_toy_unet(placement);
    return effect(toy, train({*unet, toy.embeddings}, toy.settings, toy.pairs));
  };
  const Tensor exact = trained(MixedPrecision::kNo, {});
  const auto expect_alike = [&](const char* what, const Tensor& found) {
    const double distance = relative_distance(found, exact);
    print_distance(fmt::format("effect of a LoRA trained in {}", what), distance, 0.15);
    EXPECT_LE(distance, 0.15) << what;
  };
  expect_alike("bf16", trained(MixedPrecision::kBFloat16, {.dtype = torch::kBFloat16}));
  expect_alike("full bf16",
               trained(MixedPrecision::kBFloat16, {.dtype = torch::kBFloat16, .adapters_in_dtype = true}));
  expect_alike("fp16", trained(MixedPrecision::kFloat16, {.dtype = torch::kFloat16}));
}

}  // namespace
}  // namespace leco
