// A training step on a GPU must be the step on the CPU, and its rollout must not make the host wait.
//
// The twin on the CPU takes the engine that a GPU takes (model/frozen_conv.h), so that those lines run
// where no GPU is.
#include <fmt/format.h>

#include <cmath>

#include "comm/local_communicator.h"
#include "launcher/process.h"
#include "tests/gpu/device_case.h"
#include "tests/gpu/host_sync.h"
#include "tests/support/toy_model.h"
#include "train/trainer.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr double kTolerance = 1e-3;  // SPEC's bound between the two kinds of device

TrainSettings settings() {
  TrainSettings settings;
  settings.seed = 7;
  settings.max_denoising_steps = 6;
  settings.max_train_steps = 3;
  settings.learning_rate = 1e-3;
  settings.network_alpha = 4;
  settings.noise_offset = 0.05;
  settings.pairs_per_step = 2;
  settings.items_per_pass = 2;
  settings.rollout_length = RolloutLength::kAntithetic;  // items leave a rollout at different steps
  return settings;
}

// Of unequal multipliers and two samples each; at 64 × 64 rounding would be magnified (the toy's middle level
// is one pixel there).
std::vector<PromptPair> pairs() {
  PromptPair pair{.target = "circle",
                  .positive = "a big circle",
                  .unconditional = "a small circle",
                  .neutral = "circle",
                  .guidance_scale = 2,
                  .resolution = {128, 128},
                  .batch_size = 2};
  PromptPair other = pair;
  other.action = Action::kEnhance;
  other.multiplier = -0.5;
  return {pair, other};
}

// While it lives, models are loaded for ATen's own operators instead of oneDNN's.
class PlainEngine {
 public:
  PlainEngine() { at::globalContext().setUserEnabledMkldnn(false); }
  ~PlainEngine() { at::globalContext().setUserEnabledMkldnn(true); }
};

// All that a Trainer is given, on one device.
struct Training {
  explicit Training(torch::Device device)
      : embeddings(encode_prompts({open_text_encoder(files, kToyModel, "text_encoder", "tokenizer")}, {},
                                  {"circle", "a big circle", "a small circle"}, device)),
        unet(load_toy_unet({.device = device})),
        network(*unet, {.rank = chosen.network_dim, .alpha = chosen.alpha()}, *chosen.seed),
        trainer({chosen, prompts, *unet, embeddings, network, *comm}) {}

  LocalFileSource files;
  TrainSettings chosen = settings();
  std::vector<PromptPair> prompts = pairs();
  PromptEmbeddings embeddings;
  std::unique_ptr<UNet> unet;
  LoraNetwork network;
  std::unique_ptr<Communicator> comm = make_local_communicator();
  Trainer trainer;
};

struct Result {
  StepReport report;
  Tensor weights;  // (n), after the step
};

std::vector<Result> train(torch::Device device) {
  Training training(device);
  std::vector<Result> results;
  for (int64_t step = 0; step < training.chosen.max_train_steps; ++step) {
    StepReport report = training.trainer.step(step);
    results.push_back(
        {std::move(report), training.network.weights().to(torch::kCPU, /*dtype=*/torch::kFloat64)});
  }
  return results;
}

double distance(const Tensor& found, const Tensor& expected) {
  return ((found - expected).norm() / expected.norm()).item<double>();
}

class CudaStepTest : public DeviceTest {
 protected:
  static void SetUpTestSuite() {
    prepare_process();
    make_deterministic(/*threads=*/1);
  }

  std::vector<Result> train_on_device() const {
    if (on_gpu()) return train(device());
    const PlainEngine plain;
    return train(device());
  }
};

INSTANTIATE_TEST_SUITE_P(Devices, CudaStepTest, ::testing::Values("cuda", "cpu", "stand_in"), name_of_case);

TEST_P(CudaStepTest, OneStepAndThreeAreThoseOfTheCpu) {
  const std::vector<Result> expected = train(torch::kCPU), found = train_on_device();
  ASSERT_EQ(found.size(), expected.size());
  for (size_t i = 0; i < found.size(); ++i) {
    const StepReport &ours = found[i].report, &theirs = expected[i].report;
    const double loss = std::abs(ours.loss / theirs.loss - 1);
    const double norm = std::abs(ours.gradient_norm / theirs.gradient_norm - 1);
    const double lora = distance(found[i].weights, expected[i].weights);
    fmt::print("step {}: relative distance of the loss {:.1e}, gradient norm {:.1e}, LoRA {:.1e}\n", i + 1,
               loss, norm, lora);
    EXPECT_LE(loss, kTolerance);
    EXPECT_LE(norm, kTolerance);
    EXPECT_LE(lora, kTolerance);
  }
}

TEST_P(CudaStepTest, TwoRunsAreEqualToTheBit) {
  const std::vector<Result> first = train_on_device(), second = train_on_device();
  for (size_t i = 0; i < first.size(); ++i) {
    EXPECT_EQ(first[i].report.loss, second[i].report.loss);
    EXPECT_EQ(first[i].report.gradient_norm, second[i].report.gradient_norm);
    EXPECT_TRUE(first[i].weights.equal(second[i].weights));
  }
}

TEST_P(CudaStepTest, NothingBetweenTheDrawsAndTheLossMakesTheHostWait) {
  Training training(device());
  const PackWorker worker({training.chosen, training.prompts, *training.unet, training.embeddings});
  const StepPlan plan = plan_step(plan_settings(training.chosen, 1), training.prompts, 0, 1);
  const Pack& pack = plan.packs.at(0);
  ASSERT_EQ(pack.size(), 2u);
  ASSERT_NE(pack[0].k, pack[1].k);
  worker.roll_out(pack);  // libraries start at their first use, which may wait

  const HostSyncWatch watch(device());
  const Tensor x = worker.roll_out(pack).front();
  EXPECT_EQ(watch.reads(), std::set<std::string>());
  const Tensor y = worker.goal(pack, x);
  const Tensor losses = worker.losses(pack, worker.predict(pack, x), y);
  EXPECT_EQ(watch.reads(), std::set<std::string>());
  EXPECT_EQ(losses.device(), device());
}

TEST(HostSyncWatch, SeesAValueThatIsRead) {
  const HostSyncWatch watch(torch::kCPU);
  torch::ones({1}).item<float>();
  EXPECT_FALSE(watch.reads().empty());
}

}  // namespace
}  // namespace leco
