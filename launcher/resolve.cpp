#include "launcher/resolve.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <random>
#include <thread>

#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "launcher/stop_signal.h"
#include "launcher/training/run_record.h"
#include "report/previews.h"
#include "train/lora_output.h"

namespace leco {
namespace {

// OMP_NUM_THREADS, else the node's cores over its ranks, but no more than the launcher bound this process to.
int64_t threads_of_rank(const World& world) {
  if (const char* given = std::getenv("OMP_NUM_THREADS"); given && std::atoi(given) > 0)
    return std::atoi(given);
  int64_t threads = std::thread::hardware_concurrency() / world.local_size();
  cpu_set_t bound;
  if (sched_getaffinity(0, sizeof(bound), &bound) == 0)
    threads = std::min<int64_t>(threads, CPU_COUNT(&bound));
  return std::max<int64_t>(1, threads);
}

// The same on all ranks: an item's bits depend on it, and must not depend on who executes the item.
int64_t default_threads(World& world) {
  return static_cast<int64_t>(
      std::ranges::min(world.host().all_gather(static_cast<double>(threads_of_rank(world)))));
}

uint64_t draw_seed(World& world) {
  std::random_device entropy;
  torch::Tensor seed =
      at::tensor({static_cast<int64_t>(entropy())}, torch::kInt64);  // 32 bits: easy to type again
  world.host().broadcast(seed, 0);
  return static_cast<uint64_t>(seed.item<int64_t>());
}

}  // namespace

// For the same reason all ranks compute on one kind of device.
torch::Device device_of_rank(DeviceChoice choice, World& world) {
  const torch::Device device = choose_device(device_name(choice), world.local_rank());
  const std::vector<double> on_gpu = world.host().all_gather(device.is_cuda());
  const auto gpu = std::ranges::find(on_gpu, 1.0), cpu = std::ranges::find(on_gpu, 0.0);
  if (gpu != on_gpu.end() && cpu != on_gpu.end())
    throw_usage(
        fmt::format("rank {} has a GPU and rank {} sees none; start ranks only where there are GPUs, or give "
                    "--device=cpu",
                    gpu - on_gpu.begin(), cpu - on_gpu.begin()));
  return device;
}

void resolve(TrainSettings& settings, World& world, torch::Device device) {
  if (!settings.seed) settings.seed = draw_seed(world);
  if (!settings.threads) settings.threads = default_threads(world);
  settings.pairs_per_step =
      settings.pairs_per_step.value_or(settings.gradient_accumulation_steps * world.size());
  settings.device = device.is_cuda() ? DeviceChoice::kCuda : DeviceChoice::kCpu;
}

void prepare_folder(const std::string& flag, const std::string& path) {
  std::error_code failure;
  std::filesystem::create_directories(path, failure);
  if (!failure && access(path.c_str(), W_OK | X_OK) != 0) failure.assign(errno, std::generic_category());
  if (failure)
    throw_usage(fmt::format("--{}={}: the folder cannot be written: {}", flag, path, failure.message()));
}

std::unique_ptr<ClaimFile> claim_output(const TrainSettings& settings) {
  const std::string path =
      (std::filesystem::path(settings.output_dir) / ("." + settings.output_name + ".owner")).string();
  std::string holder;
  auto claim = ClaimFile::take(path, holder);
  // A job that was killed and at once started again elsewhere finds a claim that only its age tells to be
  // dead.
  if (!claim && !settings.resume.empty()) {
    constexpr int kWaitSeconds = ClaimFile::kStaleSeconds + ClaimFile::kRefreshSeconds;
    log::info(fmt::format("'{}' is held by {}: waits up to {} s to see whether it is alive", path, holder,
                          kWaitSeconds));
    for (int waited = 0; !claim && waited < kWaitSeconds; ++waited) {
      if (const int signal = stop_signal())
        throw Error(
            fmt::format("stopped by {} while it waited; the same command goes on", signal_name(signal)),
            ExitStatus::kStopped);
      std::this_thread::sleep_for(std::chrono::seconds(1));
      claim = ClaimFile::take(path, holder);
    }
  }
  if (!claim)
    throw_usage(
        fmt::format("'{}' in '{}' is being written by {}; wait for it, or choose another --output_name",
                    settings.output_name, settings.output_dir, holder));
  return claim;
}

void prepare_output_folder(const TrainSettings& settings) {
  prepare_folder("output_dir", settings.output_dir);
  if (settings.preview.is_on()) prepare_folder("output_dir", preview_folder(settings));
  std::error_code failure;
  const std::string result = lora_path(settings, settings.max_train_steps);
  if (std::filesystem::is_directory(result, failure))
    throw_usage(
        fmt::format("'{}' is a folder, and the LoRA file is to have that name; choose another "
                    "--output_name",
                    result));
  if (std::filesystem::equivalent(result, settings.pretrained_model_name_or_path, failure))
    throw_usage(
        fmt::format("'{}' is the model itself, and the LoRA file is to have that name; choose another "
                    "--output_dir or --output_name",
                    result));
}

log::Console console_of(const TrainSettings& settings) {
  return {.level = settings.console_log_level,
          .file = settings.console_log_file,
          .simple = settings.console_log_simple};
}

void write_config(const ConfigOutput& output) {
  std::error_code failure;
  if (std::filesystem::exists(output.path, failure))
    throw_usage(fmt::format("--output_config writes a new file, and '{}' exists already", output.path));
  write_file_atomically(output.path, output.text);
}

}  // namespace leco
