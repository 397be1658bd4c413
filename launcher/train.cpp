// `leco train`: settings and prompts in, a LoRA out.
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <optional>

#include "comm/watchdog.h"
#include "config/prompt_file.h"
#include "config/sample_prompts.h"
#include "core/log.h"
#include "launcher/flag_table.h"
#include "launcher/open_model.h"
#include "launcher/precision.h"
#include "launcher/process.h"
#include "launcher/reporter.h"
#include "launcher/resolve.h"
#include "launcher/run_record.h"
#include "launcher/subcommand.h"
#include "lora/lora_file.h"
#include "report/previews.h"
#include "report/settings_table.h"
#include "sample/prompt_rows.h"
#include "train/shared_files.h"
#include "train/trainer.h"

namespace leco {
namespace {

LoraNetwork::Shape lora_shape(const TrainSettings& settings) {
  return {.rank = settings.network_dim, .alpha = settings.alpha()};
}

// Names and shapes of all weights: a file that does not fit is refused in no time.
void check_weights(const TrainSettings& settings, const BaseModel& model, FileSource& files) {
  const std::unique_ptr<UNet> outline = model.load_unet({.device = torch::kMeta});
  if (settings.network_weights.empty()) return;
  LoraNetwork network(*outline, lora_shape(settings), /*seed=*/0);
  load_lora(network, files.open_weights(settings.network_weights));
}

std::vector<std::string> prompts_of(const std::vector<PromptPair>& pairs) {
  std::vector<std::string> prompts;
  for (const PromptPair& pair : pairs)
    prompts.insert(prompts.end(), {pair.target, pair.positive, pair.unconditional, pair.neutral});
  return prompts;
}

struct TrainJob {
  TrainSettings settings;  // nothing is left open
  std::vector<PromptPair> pairs;
  std::unique_ptr<BaseModel> model;
  torch::Device device;
  std::vector<DrawingRow> preview_rows = {};
  PromptEmbeddings embeddings = {};
};

std::vector<DrawingRow> preview_rows(const TrainSettings& settings, const BaseModel& model,
                                     FileSource& files) {
  if (!settings.preview.is_on()) return {};
  const int64_t side = usual_side(model.family(), model.prediction());
  const DrawingRow defaults{.height = side,
                            .width = side,
                            .scales = {-1, 0, 1},
                            .seed = *settings.seed,
                            .sampler = settings.preview.sampler};
  model.open_vae(settings.preview.vae,
                 Contents::kOutline);  // whether there is one is known before it is needed
  return rows_of(load_sample_prompts(settings.preview.prompts, reader_of(files)), defaults);
}

// Whatever can be wrong with what the user gave is found here, before a line is printed.
TrainJob prepare(const ParsedTrain& parsed, World& world, FileSource& files) {
  PromptFile prompts = load_prompt_file(parsed.settings.prompts_file, reader_of(files));
  TrainJob job{.settings = parsed.settings,
               .pairs = std::move(prompts.pairs),
               .model = open_model(parsed.settings, files),
               .device = device_of_rank(parsed.settings.device, world)};
  job.settings.zero_terminal_snr |= job.model->zero_terminal_snr();
  check_weights(job.settings, *job.model, files);
  // What names no GPU then goes to this rank's, and no rank holds memory of another rank's.
  c10::impl::VirtualGuardImpl(job.device.type()).setDevice(job.device);
  resolve(job.settings, world, job.device);
  do_on_reader(world.host(), [&] { return prepare_output_folder(job.settings), std::string(); });
  make_deterministic(static_cast<int>(*job.settings.threads));
  if (!job.settings.deterministic) allow_nondeterministic();
  job.preview_rows = preview_rows(job.settings, *job.model, files);
  std::vector<std::string> prompts_to_encode = prompts_of(job.pairs);
  for (std::string& prompt : prompts_of(job.preview_rows)) prompts_to_encode.push_back(std::move(prompt));
  job.embeddings =
      encode_prompts(job.model->open_text_encoders(), text_settings(job.settings, job.model->family()),
                     prompts_to_encode, job.device);
  for (const auto& notices :
       {parsed.notices, prompts.notices, model_notices(job.settings, job.pairs, *job.model),
        precision_notices(job.settings, job.device)})
    for (const std::string& notice : notices) log::warning(notice);
  return job;
}

void announce(const TrainJob& job, const World& world) {
  log::info("effective settings" + aligned_table(effective_settings(job.settings)));
  log::info(fmt::format("model: {}, from {}", job.model->description(), job.model->path()));
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
  StepLimit() { restore(); }
  void after_step() {
    const auto now = std::chrono::steady_clock::now();
    longest_ = std::max(longest_, std::chrono::ceil<std::chrono::seconds>(now - start_));
    restore();
  }
  // Around what is no step, and takes its own time.
  void lift() { set_collective_limit(kLongTime); }
  void restore() {
    start_ = std::chrono::steady_clock::now();
    set_collective_limit(longest_.count() == 0 ? kLongTime : std::max(kDefaultLimit, 10 * longest_));
  }

 private:
  static constexpr std::chrono::seconds kLongTime =
      std::chrono::hours(1);  // nothing is known of the first step
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  std::chrono::seconds longest_{0};
};

std::optional<Previews> make_previews(const TrainJob& job, const UNet& unet, World& world) {
  if (job.preview_rows.empty()) return std::nullopt;
  const DrawingModel model{.unet = unet,
                           .embeddings = job.embeddings,
                           .prediction = job.model->prediction(),
                           .zero_terminal_snr = job.settings.zero_terminal_snr};
  return Previews({.settings = job.settings,
                   .rows = job.preview_rows,
                   .model = model,
                   .vae = job.model->load_vae(job.device, job.settings.preview.vae),
                   .comm = world.host()});
}

void run(const TrainJob& job, World& world, FileSource& files) {
  const std::unique_ptr<UNet> unet = job.model->load_unet(placement_of(job.settings, job.device));
  LoraNetwork network(*unet, lora_shape(job.settings), *job.settings.seed);
  if (!job.settings.network_weights.empty())
    load_lora(network, files.open_weights(job.settings.network_weights));
  log::info(
      fmt::format("LoRA on {} modules, {} weights", network.modules().size(), network.weights().numel()));

  const auto comm = world.communicator_for(job.device);
  Trainer trainer({job.settings, job.pairs, *unet, job.embeddings, network, *comm, job.model->prediction()});
  std::vector<WeightFile> weight_files = job.model->weight_files();
  if (!job.settings.network_weights.empty())
    weight_files.push_back({"network_weights", job.settings.network_weights});
  std::optional<Reporter> reporter;
  if (world.rank() == 0) {
    const Provenance provenance{.settings = job.settings,
                                .pairs = job.pairs,
                                .effective = result_settings(job.settings),
                                .family = job.model->family(),
                                .prediction = job.model->prediction(),
                                .device = describe_device(job.device)};
    reporter.emplace(trainer, provenance, digest_in_background(weight_files));
  }
  RunRecord run_record(job.settings, world, job.device);
  StepLimit limit;
  std::optional<Previews> previews = make_previews(job, *unet, world);
  const auto draw_if_due = [&](int64_t finished_steps) {
    if (!previews || !previews->is_due(finished_steps)) return;
    limit.lift();
    const KeptWeights kept = trainer.kept_weights();
    const Previews::Drawn drawn = previews->draw(finished_steps);
    if (reporter) reporter->after_previews(drawn);
    limit.restore();
  };
  draw_if_due(0);
  for (int64_t step = 0; step < job.settings.max_train_steps; ++step) {
    const StepReport report = trainer.step(step);
    if (reporter) reporter->after_step(report);
    limit.after_step();
    draw_if_due(report.step);
  }
  if (reporter && previews) reporter->after_growth(previews->write_growth());
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
  if (parsed.output) {
    do_on_reader(world.host(), [&] { return write_config(*parsed.output), std::string(); });
    if (world.rank() == 0) std::puts(parsed.output->path.c_str());
    return ExitStatus::kDone;
  }
  log::configure(console_of(parsed.settings));
  const TrainJob job = prepare(parsed, world, *files);
  announce(job, world);
  run(job, world, *files);
  return ExitStatus::kDone;
}

}  // namespace leco
