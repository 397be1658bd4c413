// How far a sweep is, read from its runs' folders: for the rows of its results, for `leco sweep --status` and
// for the line that is shown while it runs. It writes nothing.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "launcher/sweep/plan.h"
#include "report/metrics_file.h"
#include "report/sweep_row.h"
#include "sweep/run_queue.h"

namespace leco {

class SweepView {
 public:
  // `groups`: how many work on it; absent: as many as runs are being trained.
  explicit SweepView(const SweepPlan& plan, std::optional<int> groups = std::nullopt);

  // Looks again at what was not finished. Costs one to four file operations for each such run, and a read for
  // each that is being trained.
  void refresh();
  // Failures of this job that no file tells of.
  void add_failures(const std::vector<RunQueue::Refused>& unrecorded);

  const std::vector<SweepRow>& rows() const { return rows_; }  // in the order of the plan
  int64_t count(RunStatus status) const;
  // "step 120 of 500" of a run that is being trained; else empty.
  std::string progress(size_t run) const;
  // Seconds that a cost of 1 takes a group, from the runs that are finished; before there is one, from the
  // steps of those that are being trained, once there are some.
  std::optional<double> seconds_per_cost() const;
  std::optional<double> seconds_left() const;
  std::string line() const;  // "5 of 12 done, 2 running, 1 failed, 4 left, about 3m20s to go"

 private:
  void look_at(size_t run);
  const SweepPlan& plan_;
  std::optional<int> groups_;
  std::vector<SweepRow> rows_;
  std::vector<LastSteps> steps_;  // of the runs that are being trained
  double done_cost_ = 0, done_seconds_ = 0;
};

// The rows with what their evaluations hold.
std::vector<SweepRow> evaluated_rows(const SweepView& view, const std::string& output_dir);

}  // namespace leco
