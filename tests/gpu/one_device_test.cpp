// What is computed on a device stays there: text encoders, U-Nets, dropout, VAEs, every sampler and
// optimizer. A tensor that is left on the CPU, which a GPU would not take, is found here without one.
#include <gtest/gtest.h>

#include <algorithm>

#include "config/sampler.h"
#include "launcher/process.h"
#include "lora/lora_network.h"
#include "optim/make_optimizer.h"
#include "sample/drawing.h"
#include "tests/gpu/device_watch.h"
#include "tests/gpu/stand_in_device.h"
#include "tests/support/toy_model.h"
#include "train/pack_worker.h"

namespace leco {
namespace {

using torch::Tensor;

const std::set<std::string> kNone;

PromptPair pair_with(double multiplier) {
  return {.target = "circle",
          .positive = "a big circle",
          .unconditional = "a small circle",
          .neutral = "circle",
          .guidance_scale = 2,
          .resolution = {64, 64},
          .batch_size = 2,
          .multiplier = multiplier};
}

// Everything that takes a tensor of its own on the device.
TrainSettings settings_with(SamplerKind sampler) {
  TrainSettings settings;
  settings.seed = 7;
  settings.max_denoising_steps = 3;
  settings.network_alpha = 4;
  settings.network_args.conv_dim = 2;
  settings.network_dropout = 0.1;
  settings.network_args.rank_dropout = 0.1;
  settings.network_args.module_dropout = 0.1;
  settings.noise_offset = 0.05;
  settings.min_snr_gamma = 5;
  settings.loss_type = LossType::kHuber;
  settings.pairs_per_step = 2;
  settings.items_per_pass = 2;
  settings.samples_per_rollout = 2;
  settings.rollout_length = RolloutLength::kAntithetic;  // items leave a rollout at different steps
  settings.rollout_sampler = sampler;
  return settings;
}

TextSettings::Kind text_kind(Family family) {
  if (family == Family::kSdxl) return TextSettings::Kind::kSdxl;
  return family == Family::kSd2 ? TextSettings::Kind::kSd2 : TextSettings::Kind::kSd1;
}

// A model on stand_in_device(), with a LoRA.
struct Model {
  Model(const std::string& path, Placement placement)
      : base(open_base_model(files, path)),
        unet(base->load_unet(placement)),
        network(*unet, {.rank = 4, .alpha = 4, .args = {.conv_dim = 2}}, 7),
        embeddings(encode_prompts(base->open_text_encoders(), {.kind = text_kind(base->family())},
                                  {"circle", "a big circle", "a small circle"}, placement.device)) {}

  LocalFileSource files;
  std::unique_ptr<BaseModel> base;
  std::unique_ptr<UNet> unet;
  LoraNetwork network;
  PromptEmbeddings embeddings;
};

class OneDevice : public ::testing::TestWithParam<const char*> {
 protected:
  static void SetUpTestSuite() { make_deterministic(/*threads=*/1); }
  std::string path() const { return std::string(LECO_TEST_DATA "/") + GetParam(); }
  // On one model all of what has nothing to do with the family.
  bool takes_all() const { return GetParam() == std::string("toy-sd"); }
  std::vector<torch::ScalarType> dtypes() const {
    if (!takes_all()) return {torch::kFloat32};
    return {torch::kFloat32, torch::kBFloat16, torch::kFloat16};
  }
  std::vector<SamplerKind> samplers() const {
    if (!takes_all()) return {SamplerKind::kDdpm};
    return {SamplerKind::kDdim, SamplerKind::kDdpm, SamplerKind::kEuler, SamplerKind::kEulerA,
            SamplerKind::kDpmpp2m};
  }
};

INSTANTIATE_TEST_SUITE_P(Families, OneDevice, ::testing::Values("toy-sd", "tiny-sd2v", "tiny-sdxl"),
                         [](const auto& info) {
                           std::string name = info.param;
                           std::ranges::replace(name, '-', '_');
                           return name;
                         });

TEST_P(OneDevice, HoldsAStepsPack) {
  for (const torch::ScalarType dtype : dtypes()) {
    const DeviceWatch watch;
    Model model(path(), {.device = stand_in_device(),
                         .dtype = dtype,
                         .adapters_in_dtype = dtype == torch::kFloat16,
                         .recompute_blocks = dtype == torch::kBFloat16});
    const TrainSettings settings = settings_with(SamplerKind::kDdpm);
    const std::vector<PromptPair> pairs{pair_with(1), pair_with(-0.5)};
    const PackWorker worker({settings, pairs, *model.unet, model.embeddings, model.base->prediction()});
    const PlanSettings planned = plan_settings(settings, 1);
    const Pack pack = plan_step(planned, pairs, 0, 1).packs.at(0);
    const std::vector<Tensor> points = worker.roll_out(pack);
    ASSERT_EQ(points.size(), 2u);
    for (int64_t point = 0; point < std::ssize(points); ++point) {
      const Pack at = at_point(pack, point, planned.draws);
      const Tensor e = worker.predict(at, points[point]), y = worker.goal(at, points[point]);
      const Tensor losses = worker.losses(at, e, y);
      EXPECT_EQ(losses.device(), stand_in_device());
      losses.sum().backward();
    }
    EXPECT_GT(model.network.gradients().abs().sum().item<double>(), 0);
    EXPECT_EQ(watch.mixed(), kNone) << dtype;
  }
}

TEST_P(OneDevice, HoldsRolloutsAndPictures) {
  const DeviceWatch watch;
  Model model(path(), {.device = stand_in_device()});
  const std::unique_ptr<Vae> vae = model.base->has_vae() ? model.base->load_vae(stand_in_device()) : nullptr;
  const std::vector<PromptPair> pairs{pair_with(1), pair_with(1)};
  for (const SamplerKind sampler : samplers()) {
    const TrainSettings settings = settings_with(sampler);
    const PackWorker worker({settings, pairs, *model.unet, model.embeddings, model.base->prediction()});
    worker.roll_out(plan_step(plan_settings(settings, 1), pairs, 0, 1).packs.at(0));
    const Tensor latents =
        draw_latents({*model.unet, model.embeddings, model.base->prediction()}, {.prompt = "a big circle",
                                                                                 .negative = "circle",
                                                                                 .height = 64,
                                                                                 .width = 64,
                                                                                 .scales = {1},
                                                                                 .steps = 3,
                                                                                 .sampler = sampler,
                                                                                 .start_noise = 700});
    EXPECT_EQ(latents.device(), stand_in_device());
    if (vae) EXPECT_EQ(vae->decode(latents).device(), stand_in_device());
    EXPECT_EQ(watch.mixed(), kNone) << sampler_name(sampler);
  }
}

// Three updates, beside those on the CPU.
TEST(OneDeviceOptimizers, ComputeThereWhatTheyComputeOnTheCpu) {
  constexpr int64_t kRows = 128, kColumns = 64;  // enough for 8-bit states
  for (const OptimizerName& name : optimizer_names()) {
    const DeviceWatch watch;
    const auto train_on = [&](torch::Device device) {
      Tensor weights = torch::linspace(-1, 1, kRows * kColumns).to(device);
      OptimizerSettings settings;
      settings.kind = name.kind;
      const auto optimizer = make_optimizer(settings, {.options = weights.options(),
                                                       .segments = {{.rows = kRows, .columns = kColumns}},
                                                       .base_rate = 0.1});
      for (int64_t step = 0; step < 3; ++step) {
        Tensor gradient = torch::linspace(1, -2, weights.numel()).to(device);
        optimizer->step(weights, gradient, 0.1);
      }
      return optimizer->weights_to_keep(weights).cpu();
    };
    const Tensor found = train_on(stand_in_device()), expected = train_on(torch::kCPU);
    EXPECT_TRUE(found.allclose(expected, 1e-5, 1e-7)) << name.name << ": " << (found - expected).abs().max();
    EXPECT_EQ(watch.mixed(), kNone) << name.name;
  }
}

TEST(DeviceWatch, SeesAnOperatorThatIsGivenTwoDevices) {
  const DeviceWatch watch;
  const Tensor here = torch::ones({2, 2}), there = here.to(stand_in_device());
  at::mm(there, here);
  EXPECT_TRUE(watch.mixed().contains("aten::mm of cpu and stand_in:0"));
}

TEST(DeviceWatch, LetsCopiesAndNumbersPass) {
  const DeviceWatch watch;
  Tensor there = torch::ones({2, 2}, stand_in_device()) * torch::tensor(2.0);
  there.copy_(torch::ones({2, 2}));
  EXPECT_EQ(watch.mixed(), kNone);
}

}  // namespace
}  // namespace leco
