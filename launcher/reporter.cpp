#include "launcher/reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "core/log.h"
#include "io/digest.h"
#include "launcher/flag_table.h"

namespace leco {

std::shared_future<FileDigests> digest_in_background(std::vector<WeightFile> files) {
  return std::async(std::launch::async, [files = std::move(files)] {
    FileDigests digests;
    for (const auto& [name, path] : files) digests.emplace_back(name, sha256_of_file(path));
    return digests;
  });
}

Reporter::Reporter(Trainer& trainer, Provenance provenance, std::shared_future<FileDigests> digests)
    : trainer_(trainer),
      provenance_(std::move(provenance)),
      digests_(std::move(digests)),
      metrics_((std::filesystem::path(settings().output_dir) / (settings().output_name + ".metrics.jsonl"))
                   .string()),
      judge_(settings()),
      progress_(settings().max_train_steps, isatty(STDERR_FILENO)) {
  if (settings().log.logging_dir.empty()) return;
  events_.emplace(settings().log, effective_settings(settings()));
  log::info(fmt::format("event files for TensorBoard: {}", events_->path()));
}

void Reporter::after_step(const StepReport& report) {
  metrics_.write(report);
  if (events_) events_->write(report);
  if (report.skipped) {
    progress_.interrupt();
    log::info(fmt::format(
        "step {}: the scaled gradient left float16's range; nothing is updated, the loss scale is now {}",
        report.step, report.loss_scale));
  }
  progress_.show(report);
  if (report.early_sign) tell_early_sign(report.step, *report.early_sign);
  const bool last = report.step == settings().max_train_steps;
  const bool due = settings().save_every_n_steps && report.step % *settings().save_every_n_steps == 0;
  if (!last && !due) return;
  provenance_.model_files = digests_.get();
  {
    const KeptWeights kept = trainer_.kept_weights();
    written_.push_back(save_lora(trainer_.network(), provenance_, report.step));
  }
  if (!last) step_files_.emplace_back(report.step, written_.back());
  progress_.interrupt();
  log::info(fmt::format("saved {}", written_.back()));
  if (!last) remove_old_files(report.step);
}

// As sd-scripts: the finished LoRA and the files of the last N steps before this one stay.
void Reporter::remove_old_files(int64_t step) {
  if (!settings().save_last_n_steps) return;
  while (!step_files_.empty() && step_files_.front().first < step - *settings().save_last_n_steps) {
    std::error_code failure;
    std::filesystem::remove(step_files_.front().second, failure);
    if (failure)
      log::warning(fmt::format("'{}' was to be removed: {}", step_files_.front().second, failure.message()));
    std::erase(written_, step_files_.front().second);
    step_files_.pop_front();
  }
}

void Reporter::after_previews(const Previews::Drawn& drawn) {
  for (size_t i = 0; i < drawn.files.size() && events_; ++i)
    events_->preview(drawn.step, static_cast<int64_t>(i), drawn.sheets[i], encode_png(drawn.sheets[i]));
  if (events_) events_->preview_seconds(drawn.step, drawn.seconds);
  progress_.leave_out(drawn.seconds);
  progress_.interrupt();
  log::info(
      fmt::format("drew {} of step {} in {:.1f} s, which the steps' times do not hold: {}{}",
                  drawn.files.size() == 1 ? "the preview" : fmt::format("{} previews", drawn.files.size()),
                  drawn.step, drawn.seconds, drawn.files.front(), drawn.files.size() > 1 ? " …" : ""));
}

void Reporter::after_growth(const std::string& path) {
  if (!path.empty()) written_.push_back(path);
}

void Reporter::tell_early_sign(int64_t step, const EarlySign& sign) {
  progress_.interrupt();
  log::info(early_sign_line(step, sign));
  if (const std::string what = judge_.judge(step, sign); !what.empty()) log::warning(what);
}

}  // namespace leco
