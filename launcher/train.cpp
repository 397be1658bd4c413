// `leco train`: settings and prompts in, a LoRA out.
#include <ATen/Parallel.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <future>
#include <random>
#include <thread>

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

int64_t default_threads(const World& world) {
  if (const char* given = std::getenv("OMP_NUM_THREADS"); given && std::atoi(given) > 0)
    return std::atoi(given);
  return std::max<int64_t>(1, std::thread::hardware_concurrency() / world.local_size());
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
  if (failure || access(settings.output_dir.c_str(), W_OK) != 0)
    throw_usage(fmt::format("--output_dir={}: the folder cannot be written{}", settings.output_dir,
                            failure ? ": " + failure.message() : ""));
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
  TrainSettings settings;
  std::vector<PromptPair> pairs;
  torch::Device device = torch::kCPU;
};

TrainJob prepare(ParsedTrain& parsed, World& world, FileSource& files) {
  PromptFile prompts = load_prompt_file(parsed.settings.prompts_file, reader_of(files));
  for (const std::string& notice : parsed.notices) log::warning(notice);
  for (const std::string& notice : prompts.notices) log::warning(notice);
  TrainJob job{parsed.settings, std::move(prompts.pairs),
               choose_device(device_name(parsed.settings.device), world.local_rank())};
  resolve(job.settings, world, job.device);
  if (world.rank() == 0) prepare_output_folder(job.settings);
  make_deterministic(static_cast<int>(*job.settings.threads));
  return job;
}

void announce(const TrainJob& job, const World& world) {
  log::info("effective settings\n" + aligned_table(effective_settings(job.settings)));
  log::info(fmt::format("{} prompt pairs, {} items a step over {} {} on {}", job.pairs.size(),
                        *job.settings.pairs_per_step, world.size(), world.size() == 1 ? "rank" : "ranks",
                        describe_device(job.device)));
  if (*job.settings.pairs_per_step < world.size())
    log::warning(fmt::format("--pairs_per_step={} is less than the {} ranks: {} of them have nothing to do",
                             *job.settings.pairs_per_step, world.size(),
                             world.size() - *job.settings.pairs_per_step));
}

void run(const TrainJob& job, World& world, FileSource& files) {
  const ModelFolder model(files, job.settings.pretrained_model_name_or_path);
  const PromptEmbeddings embeddings = encode_prompts(files, model.path(), prompts_of(job.pairs), job.device);
  const std::unique_ptr<UNet> unet = model.load_unet({.device = job.device});
  LoraNetwork network(*unet, {.rank = job.settings.network_dim, .alpha = job.settings.alpha()},
                      *job.settings.seed);
  if (!job.settings.network_weights.empty())
    load_lora(network, files.open_safetensors(job.settings.network_weights));
  log::info(
      fmt::format("LoRA on {} modules, {} weights", network.modules().size(), network.weights().numel()));

  const auto comm = world.communicator_for(job.device);
  Trainer trainer({job.settings, job.pairs, *unet, embeddings, network, *comm, model.prediction()});
  std::optional<Reporter> reporter;
  if (world.rank() == 0) {
    const Provenance provenance{.settings = job.settings,
                                .pairs = job.pairs,
                                .effective = result_settings(job.settings),
                                .prediction = model.prediction(),
                                .device = describe_device(job.device)};
    reporter.emplace(network, provenance, digest_in_background(model));
  }
  RunRecord run_record(job.settings, world, job.device);
  for (int64_t step = 0; step < job.settings.max_train_steps; ++step) {
    const StepReport report = trainer.step(step);
    if (reporter) reporter->after_step(report);
  }
  comm->barrier();  // nobody leaves before the files are written
  if (!reporter) return;
  run_record.write(reporter->written());
  for (const std::string& path : reporter->written()) std::puts(path.c_str());
}

}  // namespace

ExitStatus train_command(World& world, std::span<const std::string> arguments) {
  const auto files = share_files(world.host());
  ParsedTrain parsed = parse_train_flags(arguments, reader_of(*files));
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
