// A group of ranks that takes one run of a sweep after another, and when none is left helps another group
// with its last one. A run that fails ends neither the group nor the others, wherever in it a rank fails.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/world.h"
#include "io/claim_file.h"
#include "launcher/sweep/help.h"
#include "launcher/sweep/plan.h"
#include "launcher/sweep/run_keeper.h"
#include "launcher/sweep/start.h"
#include "launcher/sweep/team.h"
#include "launcher/training/training.h"
#include "sweep/run_board.h"
#include "sweep/run_queue.h"

namespace leco {

class SweepCrew {
 public:
  // Splits the job's world into the groups; a signal that `stop` gives ends the work with the state saved.
  SweepCrew(const SweepPlan& plan, const SweepStart& start, World& world, std::function<int()> stop);

  // Until nothing is left to take or to help with, or another sweep overrules this one; false: stopped
  // before. Collective over the group.
  bool work();
  // To be called often between the end of work() and that of all groups: some may still ask for an answer.
  void answer();

  // Why no further run was taken, where another start asks for other settings; else empty. On the leader.
  const std::string& overruled() const { return overruled_; }
  // Runs that failed and whose folders could not take that down, with their errors. On the leader.
  std::vector<RunQueue::Refused> unrecorded() const;

 private:
  struct Next;
  struct Attempt {
    bool stopped = false;
    bool is_evaluating = false;
    bool had_help = false;
    std::string error;  // empty: it went well
    double seconds = 0;
  };
  using Groups = std::vector<int>;  // that go on with a run together; none: this one takes up its own
  bool leads_run() const { return claim_ != nullptr; }

  // What comes next.
  Next agree_on_next();
  Next choose_next();
  std::optional<RunQueue::Taken> look_once_more();
  bool is_overruled();

  // A run.
  bool do_run(const PlannedRun& run);
  Attempt attempt(const PlannedRun& run, const Groups& team = {});
  void train(const PlannedRun& run, const Groups& team, Attempt& attempt);
  TrainingOutcome train_with_help(const PlannedRun& run);
  int asked_to_stop(const PlannedRun& run, int64_t finished_steps);
  int asked_to_leave_off();
  void let_help_come(const PlannedRun& run);
  void tell(const PlannedRun& run, const Attempt& attempt, int64_t attempts);

  const SweepPlan& plan_;
  SweepTeam team_;
  std::function<int()> stop_;
  FolderBoard board_;
  RunQueue queue_;
  SweepRecord record_;
  const std::vector<SweepRecord::Run> asked_;
  std::string overruled_;
  RunKeeper keeper_;
  SweepHelp help_;
  std::unique_ptr<ClaimFile> claim_;  // on the run at work; the leader's
};

}  // namespace leco
