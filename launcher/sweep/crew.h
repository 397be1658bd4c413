// A group of ranks that takes one run of a sweep after another. A run that fails ends neither the group nor
// the others, wherever in it a rank fails.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/world.h"
#include "io/claim_file.h"
#include "launcher/model/kept_parts.h"
#include "launcher/sweep/plan.h"
#include "launcher/sweep/run_keeper.h"
#include "launcher/sweep/start.h"
#include "launcher/training/training.h"
#include "sweep/run_board.h"
#include "sweep/run_queue.h"

namespace leco {

class SweepCrew {
 public:
  // `group` is a part of the job's world; what `stop` gives ends the work with the state saved.
  SweepCrew(const SweepPlan& plan, const SweepStart& start, std::unique_ptr<World> group, StopRequest stop);

  // Until nothing is left to take; false: stopped before. Collective over the group.
  bool work();

  // Runs that failed and whose folders could not take that down, with their errors. On the leader.
  std::vector<RunQueue::Refused> unrecorded() const;

 private:
  struct Attempt {
    bool stopped = false;
    bool is_evaluating = false;
    std::string error;  // empty: it went well
    double seconds = 0;
  };
  bool is_leader() const { return group_->rank() == 0; }
  int64_t agree_on_next();
  std::optional<RunQueue::Taken> next();
  std::optional<RunQueue::Taken> look_once_more();
  bool do_run(const PlannedRun& run);
  Attempt attempt(const PlannedRun& run);
  void train(const PlannedRun& run, Attempt& attempt);
  void recover(const std::string& error, bool is_own);
  void tell(const PlannedRun& run, const Attempt& attempt, int64_t attempts);

  const SweepPlan& plan_;
  std::unique_ptr<World> group_;
  StopRequest stop_;
  std::unique_ptr<FileSource> files_;
  std::optional<KeptParts> parts_;
  FolderBoard board_;
  RunQueue queue_;
  RunKeeper keeper_;
  std::unique_ptr<ClaimFile> claim_;  // on the run at work; the leader's
};

}  // namespace leco
