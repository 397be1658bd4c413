#include "launcher/sweep/view.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <ctime>

#include "io/claim_file.h"
#include "report/progress_line.h"
#include "report/sweep_measures.h"
#include "sweep/run_board.h"
#include "sweep/run_marker.h"

namespace leco {
namespace {

// Nobody touches the claim of a dead owner. Clocks of two machines differ by little, as a rule; where they do
// not, only this view is wrong.
bool is_alive(const timespec& touched) {
  return touched.tv_sec != 0 && std::time(nullptr) - touched.tv_sec <= ClaimFile::kStaleSeconds;
}

// Steps differ in length, and the first of a start is slower than the others.
constexpr int64_t kTellingSteps = 5;

double cost_of_step(const PlannedRun& run) {
  return run.cost / static_cast<double>(run.parsed.settings.max_train_steps);
}

void show_trained(SweepRow& row, const DoneMarker& marker) {
  row.seconds = marker.seconds;
  row.final_loss = marker.final_loss;
  row.files.clear();
  for (const DoneMarker::File& file : marker.files) row.files.push_back(row.folder + "/" + file.name);
}

}  // namespace

SweepView::SweepView(const SweepPlan& plan, std::optional<int> groups) : plan_(plan), groups_(groups) {
  for (const PlannedRun& run : plan.runs)
    rows_.push_back({.name = run.name, .prompts = run.prompts, .swept = run.swept, .folder = run.name});
  steps_.resize(rows_.size());
  refresh();
}

void SweepView::refresh() {
  for (size_t run = 0; run < rows_.size(); ++run)
    if (!is_finished(rows_[run].status)) look_at(run);
}

void SweepView::look_at(size_t run) {
  SweepRow& row = rows_[run];
  const std::string& folder = plan_.runs[run].folder;
  row.status = RunStatus::kLeft;
  row.error.clear();
  if (time_of_file(folder).tv_sec == 0) return;
  if (const auto done = read_done(folder)) {
    const auto other = differences(done->settings, plan_.runs[run].asked);
    row.status = other.empty() ? RunStatus::kDone : RunStatus::kOther;
    if (!other.empty()) row.error = fmt::format("finished with other settings: {}", fmt::join(other, "; "));
    show_trained(row, *done);
    done_cost_ += done->cost;
    done_seconds_ += done->seconds + done->evaluation_seconds;
  } else if (is_alive(time_of_file(claim_path(folder)))) {
    row.status = RunStatus::kRunning;
    steps_[run] = last_steps_in(folder + "/" + row.name + ".metrics.jsonl");
  } else if (const auto failed = read_failed(folder)) {
    row.status = RunStatus::kFailed;
    row.seconds = failed->seconds;
    row.error = failed->error;
    if (const auto trained = read_trained(folder)) show_trained(row, *trained);
  }
}

void SweepView::add_failures(const std::vector<RunQueue::Refused>& unrecorded) {
  for (const auto& [run, error] : unrecorded) {
    SweepRow& row = rows_[run];
    if (row.status != RunStatus::kLeft) continue;
    row.status = RunStatus::kFailed;
    row.error = error;
  }
}

int64_t SweepView::count(RunStatus status) const {
  return std::ranges::count(rows_, status, &SweepRow::status);
}

std::string SweepView::progress(size_t run) const {
  if (rows_[run].status != RunStatus::kRunning || steps_[run].step == 0) return {};
  return fmt::format("step {} of {}", steps_[run].step, plan_.runs[run].parsed.settings.max_train_steps);
}

std::optional<double> SweepView::seconds_per_cost() const {
  if (done_cost_ > 0) return done_seconds_ / done_cost_;
  double seconds = 0, cost = 0;
  for (size_t run = 0; run < rows_.size(); ++run) {
    const LastSteps& steps = steps_[run];
    if (rows_[run].status != RunStatus::kRunning || steps.count < kTellingSteps) continue;
    seconds += steps.seconds;
    cost += cost_of_step(plan_.runs[run]) * static_cast<double>(steps.count);
  }
  return cost > 0 ? std::optional(seconds / cost) : std::nullopt;
}

std::optional<double> SweepView::seconds_left() const {
  const auto speed = seconds_per_cost();
  if (!speed) return std::nullopt;
  double cost = 0, longest = 0;
  for (size_t run = 0; run < rows_.size(); ++run) {
    const bool is_running = rows_[run].status == RunStatus::kRunning;
    if (!is_running && rows_[run].status != RunStatus::kLeft) continue;
    const double done =
        is_running ? cost_of_step(plan_.runs[run]) * static_cast<double>(steps_[run].step) : 0;
    const double left = std::max(0., plan_.runs[run].cost - done);
    cost += left;
    longest = std::max(longest, left);
  }
  const auto groups =
      static_cast<double>(std::max<int64_t>(1, groups_ ? *groups_ : count(RunStatus::kRunning)));
  return *speed * std::max(longest, cost / groups);
}

std::string SweepView::line() const {
  const int64_t failed = count(RunStatus::kFailed);
  std::string text = fmt::format("{} of {} done, {} running, {} failed, {} left", count(RunStatus::kDone),
                                 rows_.size(), count(RunStatus::kRunning), failed, count(RunStatus::kLeft));
  if (const int64_t other = count(RunStatus::kOther); other > 0)
    text += fmt::format(", {} finished with other settings", other);
  const auto left = seconds_left();
  if (left && *left > 0) text += fmt::format(", about {} to go", spoken_duration(*left));
  return text;
}

std::vector<SweepRow> evaluated_rows(const SweepView& view, const std::string& output_dir) {
  std::vector<SweepRow> rows = view.rows();
  for (SweepRow& row : rows)
    if (is_finished(row.status)) add_evaluation(row, output_dir);
  return rows;
}

}  // namespace leco
