#include "launcher/training/training.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "comm/watchdog.h"
#include "core/counted.h"
#include "core/log.h"
#include "launcher/model/open_model.h"
#include "launcher/stop_signal.h"
#include "launcher/training/precision.h"
#include "launcher/training/run_record.h"
#include "launcher/training/training_job.h"
#include "lora/lora_file.h"
#include "lora/open_lora.h"
#include "report/settings_table.h"
#include "train/trainer.h"

namespace leco {
namespace {

void announce(const TrainingJob& job, const World& world) {
  log::info("effective settings" + aligned_table(effective_settings(job.settings)));
  log::info(fmt::format("model: {}, from {}", job.model->description(), job.model->path()));
  log::info(fmt::format("{}, {} a step over {} on {}", counted(std::ssize(job.pairs), "prompt pair"),
                        counted(*job.settings.pairs_per_step, "item"), counted(world.size(), "rank"),
                        describe_device(job.device)));
  if (*job.settings.pairs_per_step < world.size())
    log::notice(fmt::format("--pairs_per_step={} is less than the {} ranks: {} of them have nothing to do",
                            *job.settings.pairs_per_step, world.size(),
                            world.size() - *job.settings.pairs_per_step));
  if (job.resumption)
    log::info(fmt::format("goes on from step {}: {}", job.first_step(), job.resumption->folder));
}

std::optional<Previews> make_previews(const TrainingJob& job, const UNet& unet, LoraNetwork& network,
                                      ModelParts& parts, World& world) {
  if (job.preview_rows.empty()) return std::nullopt;
  const DrawingModel model{.unet = unet,
                           .embeddings = job.embeddings,
                           .prediction = job.model->prediction(),
                           .zero_terminal_snr = job.settings.zero_terminal_snr};
  return Previews({.settings = job.settings,
                   .rows = job.preview_rows,
                   .model = model,
                   .network = network,
                   .vae = parts.vae(job.device, job.settings.preview.vae),
                   .comm = world.host()});
}

// What any rank was asked before the first step, on every rank.
int agreed_stop(const TrainingJob& job, World& world, const StopRequest& stop) {
  return static_cast<int>(std::ranges::max(world.host().all_gather(stop(job.first_step()))));
}

void tell_balance(const Trainer& trainer, World& world) {
  if (world.size() == 1) return;
  const Trainer::Balance balance = trainer.balance(world.host());
  log::info(fmt::format(
      "efficiency {:.1f} %: the ranks' mean time at work over the busiest one's; by the plan {:.1f} %",
      100 * balance.measured, 100 * balance.expected));
}

// What is there once the model is loaded. Reporter and previews are there where they are wanted.
struct Running {
  Trainer& trainer;
  std::optional<Reporter>& reporter;
  std::optional<Previews>& previews;
};

// Returns what asked to stop meanwhile; 0: nothing.
int draw_if_due(const TrainingJob& job, const Running& running, int64_t finished_steps,
                const StopRequest& stop) {
  if (!running.previews || !previews_are_due(job.settings, finished_steps)) return 0;
  set_collective_limit(StepLimit::kUnknown);  // the next step sets its own
  Previews::Drawn drawn;
  {
    const KeptWeights kept = running.trainer.kept_weights();
    drawn = running.previews->draw(finished_steps, [&] {
      const int asked = stop(finished_steps);
      return asked == kMoreRanks ? 0 : asked;  // more ranks can wait for the next step
    });
  }
  if (running.reporter) running.reporter->after_previews(drawn);
  return drawn.stopped_by;
}

// Steps, previews, and what rank 0 keeps of them, until the last step or a stop. `asked` is what was asked
// before the first. A stop leaves the pictures that are missing of its step to the start that goes on.
TrainingOutcome train(const TrainingJob& job, const Running& running, int asked, const StopRequest& stop) {
  const CollectiveLimit limit(StepLimit::kUnknown);  // each step sets its own
  const int64_t last = job.settings.max_train_steps;
  int64_t step = job.first_step();
  TrainingOutcome outcome;
  if (running.reporter) {
    outcome.loss = running.reporter->loss_before();
    if (asked != 0 || step == last) running.reporter->keep(step, asked);
  }
  if (step < last) outcome.stopped_by = asked;
  if (outcome.stopped_by == 0) outcome.stopped_by = draw_if_due(job, running, step, stop);
  while (outcome.stopped_by == 0 && step < last) {
    const StepReport report = running.trainer.step(step);
    if (running.reporter) running.reporter->after_step(report);
    step = report.step;
    outcome.loss = report.loss;
    if (step < last) outcome.stopped_by = report.stop_signal;
    if (outcome.stopped_by == 0) outcome.stopped_by = draw_if_due(job, running, step, stop);
  }
  return outcome;
}

}  // namespace

TrainingOutcome run_training(const ParsedTrain& parsed, World& world, FileSource& files, ModelParts& parts,
                             const StopRequest& stop) {
  const TrainingJob job = prepare_training(parsed, world, files, parts);
  announce(job, world);
  const std::shared_ptr<UNet> unet = parts.unet(placement_of(job.settings, job.device));
  LoraNetwork network(*unet, lora_layers(job.settings, *unet, files), *job.settings.seed);
  if (!job.settings.network_weights.empty())
    load_lora(network, open_lora(files, job.settings.network_weights));
  log::info(
      fmt::format("LoRA on {} modules, {} weights", network.modules().size(), network.weights().numel()));

  const auto comm = world.communicator_for(job.device);
  Trainer trainer({.settings = job.settings,
                   .pairs = job.pairs,
                   .unet = *unet,
                   .embeddings = job.embeddings,
                   .network = network,
                   .comm = *comm,
                   .prediction = job.model->prediction(),
                   .stop_signal = stop});
  if (job.resumption) load_state(files, job.resumption->folder, job.resumption->record, trainer);
  std::optional<Reporter> reporter;
  if (world.rank() == 0) {
    std::optional<int64_t> resumed_steps;
    if (job.resumption) resumed_steps = job.first_step();
    reporter.emplace(Reporter::Given{trainer, job.provenance(), job.digests, *job.claim, resumed_steps});
  }
  RunRecord run_record(job.settings, world, job.device);
  std::optional<Previews> previews = make_previews(job, *unet, network, parts, world);
  TrainingOutcome outcome = train(job, {trainer, reporter, previews}, agreed_stop(job, world, stop), stop);
  tell_balance(trainer, world);
  if (reporter) {
    if (previews && outcome.stopped_by == 0) reporter->after_growth(previews->write_growth());
    outcome.files = reporter->written();
    run_record.write(outcome.files);
  }
  comm->barrier();  // nobody leaves before the files are written
  return outcome;
}

}  // namespace leco
