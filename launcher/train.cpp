// `leco train`: settings and prompts in, a LoRA out.
#include <ATen/Parallel.h>
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <future>
#include <random>
#include <thread>

#include "comm/watchdog.h"
#include "config/prompt_file.h"
#include "core/log.h"
#include "io/digest.h"
#include "launcher/flag_table.h"
#include "launcher/process.h"
#include "launcher/run_record.h"
#include "launcher/subcommand.h"
#include "lora/lora_file.h"
#include "report/metrics_file.h"
#include "report/progress_line.h"
#include "report/settings_table.h"
#include "train/lora_output.h"
#include "train/model_folder.h"
#include "train/shared_files.h"
#include "train/trainer.h"

namespace leco {
namespace {

using torch::Tensor;

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

uint64_t draw_seed(World& world) {
  std::random_device entropy;
  Tensor seed = at::tensor({static_cast<int64_t>(entropy())}, torch::kInt64);  // 32 bits: easy to type again
  world.host().broadcast(seed, 0);
  return static_cast<uint64_t>(seed.item<int64_t>());
}

// Whatever the user left open is decided here, once, so that it is shown and stored.
void resolve(TrainSettings& settings, World& world, torch::Device device) {
  if (!settings.seed) settings.seed = draw_seed(world);
  if (!settings.threads) settings.threads = default_threads(world);
  settings.pairs_per_step =
      settings.pairs_per_step.value_or(settings.gradient_accumulation_steps * world.size());
  settings.device = device.is_cuda() ? DeviceChoice::kCuda : DeviceChoice::kCpu;
}

// Found out before minutes of loading, not after hours of training.
void prepare_output_folder(const TrainSettings& settings) {
  std::error_code failure;
  std::filesystem::create_directories(settings.output_dir, failure);
  if (!failure && access(settings.output_dir.c_str(), W_OK | X_OK) != 0)
    failure.assign(errno, std::generic_category());
  if (failure)
    throw_usage(fmt::format("--output_dir={}: the folder cannot be written: {}", settings.output_dir,
                            failure.message()));
  const std::string result = lora_path(settings, settings.max_train_steps);
  if (std::filesystem::is_directory(result, failure))
    throw_usage(
        fmt::format("'{}' is a folder, and the LoRA file is to have that name; choose another "
                    "--output_name",
                    result));
}

LoraNetwork::Shape lora_shape(const TrainSettings& settings) {
  return {.rank = settings.network_dim, .alpha = settings.alpha()};
}

// Names and shapes of all weights: a file that does not fit is refused in no time.
void check_weights(const TrainSettings& settings, const ModelFolder& model, FileSource& files) {
  const std::unique_ptr<UNet> outline = model.load_unet({.device = torch::kMeta});
  if (settings.network_weights.empty()) return;
  LoraNetwork network(*outline, lora_shape(settings), /*seed=*/0);
  load_lora(network, files.open_safetensors(settings.network_weights));
}

std::vector<std::string> prompts_of(const std::vector<PromptPair>& pairs) {
  std::vector<std::string> prompts;
  for (const PromptPair& pair : pairs)
    prompts.insert(prompts.end(), {pair.target, pair.positive, pair.unconditional, pair.neutral});
  return prompts;
}

using FileDigests = std::vector<std::pair<std::string, std::string>>;

// Reading a model's bytes again takes seconds, so it happens beside the first steps.
std::shared_future<FileDigests> digest_in_background(const ModelFolder& model) {
  return std::async(std::launch::async, [path = model.path(), files = model.weight_files()] {
    FileDigests digests;
    for (const std::string& file : files) digests.emplace_back(file, sha256_of_file(path + "/" + file));
    return digests;
  });
}

// Everything rank 0 writes and says while training.
class Reporter {
 public:
  Reporter(const LoraNetwork& network, Provenance provenance, std::shared_future<FileDigests> digests)
      : network_(network),
        provenance_(std::move(provenance)),
        digests_(std::move(digests)),
        metrics_((std::filesystem::path(settings().output_dir) / (settings().output_name + ".metrics.jsonl"))
                     .string()),
        progress_(settings().max_train_steps, isatty(STDERR_FILENO)) {}

  void after_step(const StepReport& report) {
    metrics_.write(report);
    progress_.show(report);
    const bool last = report.step == settings().max_train_steps;
    const bool due = settings().save_every_n_steps && report.step % *settings().save_every_n_steps == 0;
    if (!last && !due) return;
    provenance_.model_files = digests_.get();
    written_.push_back(save_lora(network_, provenance_, report.step));
    progress_.interrupt();
    log::info(fmt::format("saved {}", written_.back()));
  }

  const std::vector<std::string>& written() const { return written_; }

 private:
  const TrainSettings& settings() const { return provenance_.settings; }

  const LoraNetwork& network_;
  Provenance provenance_;
  std::shared_future<FileDigests> digests_;
  MetricsFile metrics_;
  ProgressLine progress_;
  std::vector<std::string> written_;
};

struct TrainJob {
  TrainSettings settings;  // nothing is left open
  std::vector<PromptPair> pairs;
  ModelFolder model;
  torch::Device device;
  PromptEmbeddings embeddings = {};
};

// Whatever can be wrong with what the user gave is found here, before a line is printed.
TrainJob prepare(const ParsedTrain& parsed, World& world, FileSource& files) {
  PromptFile prompts = load_prompt_file(parsed.settings.prompts_file, reader_of(files));
  TrainJob job{.settings = parsed.settings,
               .pairs = std::move(prompts.pairs),
               .model = ModelFolder(files, parsed.settings.pretrained_model_name_or_path),
               .device = device_of_rank(parsed.settings.device, world)};
  check_weights(job.settings, job.model, files);
  // What names no GPU then goes to this rank's, and no rank holds memory of another rank's.
  c10::impl::VirtualGuardImpl(job.device.type()).setDevice(job.device);
  resolve(job.settings, world, job.device);
  do_on_reader(world.host(), [&] { return prepare_output_folder(job.settings), std::string(); });
  make_deterministic(static_cast<int>(*job.settings.threads));
  job.embeddings = encode_prompts(files, job.model.path(), prompts_of(job.pairs), job.device);
  for (const std::string& notice : parsed.notices) log::warning(notice);
  for (const std::string& notice : prompts.notices) log::warning(notice);
  return job;
}

void announce(const TrainJob& job, const World& world) {
  log::info("effective settings" + aligned_table(effective_settings(job.settings)));
  log::info(fmt::format("{} prompt pairs, {} items a step over {} {} on {}", job.pairs.size(),
                        *job.settings.pairs_per_step, world.size(), world.size() == 1 ? "rank" : "ranks",
                        describe_device(job.device)));
  if (*job.settings.pairs_per_step < world.size())
    log::warning(fmt::format("--pairs_per_step={} is less than the {} ranks: {} of them have nothing to do",
                             *job.settings.pairs_per_step, world.size(),
                             world.size() - *job.settings.pairs_per_step));
}

// Ranks that have less to do wait for the others, so what counts as a hang depends on how long a step takes.
class StepLimit {
 public:
  StepLimit() { set_collective_limit(std::chrono::hours(1)); }  // of the first step nothing is known
  void after_step() {
    const auto now = std::chrono::steady_clock::now();
    longest_ = std::max(longest_, std::chrono::ceil<std::chrono::seconds>(now - start_));
    start_ = now;
    set_collective_limit(std::max(kDefaultLimit, 10 * longest_));
  }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::seconds longest_{0};
};

void run(const TrainJob& job, World& world, FileSource& files) {
  const std::unique_ptr<UNet> unet = job.model.load_unet({.device = job.device});
  LoraNetwork network(*unet, lora_shape(job.settings), *job.settings.seed);
  if (!job.settings.network_weights.empty())
    load_lora(network, files.open_safetensors(job.settings.network_weights));
  log::info(
      fmt::format("LoRA on {} modules, {} weights", network.modules().size(), network.weights().numel()));

  const auto comm = world.communicator_for(job.device);
  Trainer trainer({job.settings, job.pairs, *unet, job.embeddings, network, *comm, job.model.prediction()});
  std::optional<Reporter> reporter;
  if (world.rank() == 0) {
    const Provenance provenance{.settings = job.settings,
                                .pairs = job.pairs,
                                .effective = result_settings(job.settings),
                                .prediction = job.model.prediction(),
                                .device = describe_device(job.device)};
    reporter.emplace(network, provenance, digest_in_background(job.model));
  }
  RunRecord run_record(job.settings, world, job.device);
  StepLimit limit;
  for (int64_t step = 0; step < job.settings.max_train_steps; ++step) {
    const StepReport report = trainer.step(step);
    if (reporter) reporter->after_step(report);
    limit.after_step();
  }
  comm->barrier();  // nobody leaves before the files are written
  if (!reporter) return;
  run_record.write(reporter->written());
  for (const std::string& path : reporter->written()) std::puts(path.c_str());
}

}  // namespace

ExitStatus train_command(World& world, std::span<const std::string> arguments) {
  const auto files = share_files(world.host());
  const ParsedTrain parsed = parse_train_flags(arguments, reader_of(*files));
  if (parsed.help) {
    if (world.rank() == 0) std::fputs(train_help().c_str(), stdout);
    return ExitStatus::kDone;
  }
  const TrainJob job = prepare(parsed, world, *files);
  announce(job, world);
  run(job, world, *files);
  return ExitStatus::kDone;
}

}  // namespace leco
