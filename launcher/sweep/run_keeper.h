// What a group keeps of its run in the run's folder: that it is trained, finished, or failed. So an
// evaluation that fails is all that is done again.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "io/claim_file.h"
#include "launcher/sweep/plan.h"
#include "launcher/training/training.h"
#include "sweep/run_marker.h"
#include "sweep/run_queue.h"

namespace leco {

// The LoRA file that a run ends with.
std::string lora_of(const PlannedRun& run);

// This rank's lines go to the run's log where it `writes` that, else nowhere.
void divert_log(const PlannedRun& run, bool writes);

class RunKeeper {
 public:
  explicit RunKeeper(const SweepPlan& plan) : plan_(plan) {}

  // Whether an earlier attempt or start has trained it as it is asked for now. Throws where its prompt file
  // is another than at the sweep's start. Collective over `comm`; what follows is the first rank's.
  bool find_trained(const PlannedRun& run, Communicator& comm);
  struct TrainedBy {
    int64_t ranks;
    double seconds;
  };
  // Throws where another process has taken the run over, as does finish().
  void keep_trained(const PlannedRun& run, const TrainingOutcome& outcome, const ClaimFile& claim,
                    TrainedBy by);
  void finish(const PlannedRun& run, const ClaimFile& claim, double evaluation_seconds);

  // Where even this cannot be written the others go on, and the end of this job tells of it.
  void record_failure(const PlannedRun& run, const FailedMarker& failure);
  const std::vector<RunQueue::Refused>& unrecorded() const { return unrecorded_; }

 private:
  const SweepPlan& plan_;
  std::optional<DoneMarker> trained_;
  std::vector<RunQueue::Refused> unrecorded_;
};

}  // namespace leco
