#include "launcher/training/reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>
#include <limits>
#include <utility>

#include "comm/watchdog.h"
#include "core/counted.h"
#include "core/error.h"
#include "core/fault.h"
#include "core/log.h"
#include "launcher/flags/flag_table.h"
#include "launcher/stop_signal.h"
#include "launcher/training/resume.h"

namespace leco {

Reporter::Reporter(Given given)
    : given_(std::move(given)),
      metrics_((std::filesystem::path(settings().output_dir) / (settings().output_name + ".metrics.jsonl"))
                   .string(),
               given_.resumed_steps.value_or(0)),
      judge_(settings(), given_.resumed_steps.value_or(0)),
      progress_(settings().max_train_steps, isatty(STDERR_FILENO) != 0 && !log::is_diverted()) {
  if (given_.resumed_steps) find_step_files();
  if (settings().log.logging_dir.empty()) return;
  // The pictures of the step that it goes on from are shown again, and what the step said with them.
  const bool shows_again = given_.resumed_steps && previews_are_due(settings(), *given_.resumed_steps);
  std::optional<int64_t> again_from = given_.resumed_steps;
  if (again_from && !shows_again) ++*again_from;
  events_.emplace(settings(), again_from, effective_settings(settings()));
  if (shows_again && metrics_.last_kept()) events_->write(*metrics_.last_kept());
  log::info(fmt::format("event files for TensorBoard: {}", events_->path()));
}

double Reporter::loss_before() const {
  const auto& last = metrics_.last_kept();
  return last ? last->loss : std::numeric_limits<double>::quiet_NaN();
}

// What an earlier start of this run saved counts for --save_last_n_steps as if this one had.
void Reporter::find_step_files() {
  if (!settings().save_every_n_steps) return;
  const int64_t every = *settings().save_every_n_steps;
  for (int64_t step = every; step <= *given_.resumed_steps && step < settings().max_train_steps;
       step += every)
    if (const std::string path = lora_path(settings(), step); std::filesystem::exists(path)) {
      step_files_.emplace_back(step, path);
      written_.push_back(path);
    }
}

void Reporter::check_claim() const {
  if (given_.claim.is_lost())
    throw Error(
        fmt::format("another process has taken '{}' in '{}' over; this one stops and writes nothing more",
                    settings().output_name, settings().output_dir));
}

void Reporter::after_step(const StepReport& report) {
  check_claim();
  const Watch watch = Watch::of_my_work(fmt::format("saving of step {}", report.step), saving_pace_);
  metrics_.write(report);
  fault_point(FaultPoint::kMetrics);
  if (events_) events_->write(report);
  if (report.skipped) {
    progress_.interrupt();
    log::info(fmt::format(
        "step {}: the scaled gradient left float16's range; nothing is updated, the loss scale is now {}",
        report.step, report.loss_scale));
  }
  progress_.show(report);
  if (report.early_sign) tell_early_sign(report.step, *report.early_sign);
  keep(report.step, report.stop_signal);
  fault_point(FaultPoint::kSaved);
}

void Reporter::keep(int64_t finished_steps, int stop_signal) {
  const bool last = finished_steps == settings().max_train_steps;
  const bool due =
      last || (settings().save_every_n_steps && finished_steps % *settings().save_every_n_steps == 0);
  const bool stops = stop_signal != 0 && !last;
  if (!due && !stops) return;
  given_.provenance.model_files = given_.digests.get();
  progress_.interrupt();
  if (due && finished_steps > 0) keep_lora(finished_steps);
  if (stops || (due && settings().save_state) || (last && settings().save_state_on_train_end))
    keep_state(finished_steps);
  if (stops) tell_stop(finished_steps, stop_signal);
}

void Reporter::tell_stop(int64_t finished_steps, int stop_signal) const {
  if (stop_signal != kMoreRanks)
    log::info(
        fmt::format("stopped by {} after step {}; the same command with --resume=auto goes on from there",
                    signal_name(stop_signal), finished_steps));
}

void Reporter::keep_lora(int64_t finished_steps) {
  {
    const KeptWeights kept = given_.trainer.kept_weights();
    const std::string path = save_lora(given_.trainer.network(), given_.provenance, finished_steps);
    std::erase(written_, path);  // a resumed run writes its last file again
    written_.push_back(path);
  }
  log::info(fmt::format("saved {}", written_.back()));
  if (finished_steps == settings().max_train_steps) return;
  if (step_files_.empty() || step_files_.back().first < finished_steps)
    step_files_.emplace_back(finished_steps, written_.back());
  remove_old_files(finished_steps);
}

void Reporter::keep_state(int64_t finished_steps) {
  const std::string folder = state_path(settings(), finished_steps);
  // Else a run that starts anew, and is killed, would go on from a state of the run before it.
  if (!given_.resumed_steps && !kept_state_) set_aside_states(settings());
  kept_state_ = finished_steps;
  save_state(folder, record_of(given_.provenance, finished_steps), given_.trainer);
  log::info(fmt::format("saved {}", folder));
  const auto most =
      settings().save_last_n_steps_state ? settings().save_last_n_steps_state : settings().save_last_n_steps;
  if (most) remove_old_states(settings(), finished_steps, *most);
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
  progress_.interrupt();
  if (drawn.stopped_by != 0) {
    check_claim();
    given_.provenance.model_files = given_.digests.get();
    if (kept_state_ != drawn.step) keep_state(drawn.step);
    return tell_stop(drawn.step, drawn.stopped_by);
  }
  for (size_t i = 0; i < drawn.files.size() && events_; ++i)
    events_->preview(drawn.step, static_cast<int64_t>(i), drawn.sheets[i], encode_png(drawn.sheets[i]));
  const size_t fresh = drawn.files.size() - drawn.found;
  if (events_ && fresh > 0) events_->preview_seconds(drawn.step, drawn.seconds);
  progress_.leave_out(drawn.seconds);
  if (drawn.found > 0)
    log::info(fmt::format("{} of {} of step {} are there from an earlier start", drawn.found,
                          counted(std::ssize(drawn.files), "preview"), drawn.step));
  if (fresh > 0)
    log::info(fmt::format("drew {} of step {} in {:.1f} s, which the steps' times do not hold: {}{}",
                          fresh == 1 ? "the preview" : fmt::format("{} previews", fresh), drawn.step,
                          drawn.seconds, drawn.files.front(), drawn.files.size() > 1 ? " …" : ""));
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
