// One step of our program, phase by phase, for tests/bench/step_time.py. Speaks the protocol of
// reference_step.py: step_time MODEL SIZE THREADS K [no|bf16|fp16 [checkpointing]], then a measured step and
// a JSON line for each line on stdin.
#include <fmt/format.h>

#include <fstream>
#include <iostream>

#include "comm/local_communicator.h"
#include "launcher/process.h"
#include "pipeline/base_model.h"
#include "train/device_clock.h"
#include "train/trainer.h"

namespace {

using namespace leco;

// The peak of this process's resident memory since it started, bytes.
int64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmHWM:")) return std::stoll(line.substr(6)) * 1024;
  return 0;
}

PromptPair pair_of_size(int64_t size) {
  return {.target = "circle",
          .positive = "big circle",
          .unconditional = "small circle",
          .neutral = "",
          .resolution = {size, size}};
}

}  // namespace

int main(int count, char** words) {
  if (count < 5)
    return std::cerr << "usage: step_time MODEL SIZE THREADS K [no|bf16|fp16 [checkpointing]]\n", 2;
  prepare_process();
  make_deterministic(std::stoi(words[3]));
  TrainSettings settings;
  settings.seed = 1;
  settings.network_alpha = 4;
  settings.learning_rate = 1e-4;
  const std::vector<PromptPair> pairs = {pair_of_size(std::stoll(words[2]))};
  LocalFileSource files;
  const auto model = open_base_model(files, words[1]);
  const auto embeddings = encode_prompts(model->open_text_encoders(), {},
                                         {"circle", "big circle", "small circle", ""}, torch::kCPU);
  const std::string type = count > 5 ? words[5] : "no";
  const auto unet = model->load_unet({.dtype = type == "bf16"   ? torch::kBFloat16
                                               : type == "fp16" ? torch::kFloat16
                                                                : torch::kFloat32,
                                      .recompute_blocks = count > 6});
  LoraNetwork network(*unet, {.rank = 4, .alpha = 4}, 1);
  const auto comm = make_local_communicator();
  const PackWorker worker({settings, pairs, *unet, embeddings, model->prediction()});
  const auto optimizer = make_optimizer(
      settings.optimizer, {.options = network.weights().options(), .segments = network.segments()});
  std::cout << R"({"ready": true})" << std::endl;

  int64_t step = 0;
  for (std::string line; std::getline(std::cin, line); ++step) {
    const int64_t k = std::stoll(words[4]);
    const Pack pack = {{.step = step, .k = k, .timestep = 999 - k * 25, .resolution = pairs[0].resolution}};
    PhaseSeconds seconds{};
    DeviceClock clock(torch::kCPU, seconds);
    GradientMerge merge(network.gradients());
    double loss = 0, greatest = 0;
    const auto x = clock.time(Phase::kRollout, [&] { return worker.roll_out(pack).front(); });
    const auto y = clock.time(Phase::kFrozen, [&] { return worker.goal(pack, x); });
    clock.time(Phase::kTrain, [&] {
      const auto losses = worker.losses(pack, worker.predict(pack, x), y);
      merge.next_pack();
      losses.sum().backward();
      greatest = merge.greatest();
      loss = losses.item<double>();
    });
    clock.time(Phase::kUpdate, [&] {
      merge.merge(*comm, greatest, 1, 1);
      optimizer->step(network.weights(), network.gradients(), settings.learning_rate);
    });
    fmt::print(
        R"({{"seconds": {{"rollout": {}, "frozen": {}, "train": {}, "update": {}}}, "peak_bytes": {}, "loss": {}}})"
        "\n",
        seconds[0], seconds[1], seconds[2], seconds[4], peak_memory(), loss);
    std::fflush(stdout);
  }
}
