// Help between the groups of a sweep, as the first rank of a group sees it. A group that is free offers its
// ranks; one that is at work takes them where that pays, and goes on with them from the state of its run.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "launcher/sweep/plan.h"
#include "launcher/sweep/team.h"
#include "sweep/help_offers.h"
#include "sweep/help_worth.h"

namespace leco {

class SweepHelp {
 public:
  // Collective over the team's home; all else is the first rank's alone.
  SweepHelp(const SweepPlan& plan, int ranks_of_job, SweepTeam& team);

  // Answers what others ask. To be called often, until all groups are free.
  void look() { offers_.look(); }
  // The same for a moment; `stop` gives the signal that came to any rank of the job, or 0.
  void wait_a_little(const std::function<int()>& stop);

  // A free group: the run that it is to help with; nothing when nobody wants it. It waits for an answer, also
  // after a signal.
  std::optional<HelpOffers::Call> offer(const std::function<int()>& stop);

  // A group at work on a run of its own.
  void begin_run(const TrainSettings& settings);
  void begin_start();  // of its training: the first, and each one with more ranks
  // In each step: whether the run is to stop for the groups that wait. Those that are of no use get a no.
  bool is_wanted(const TrainSettings& settings, int64_t finished_steps);
  std::vector<int> call(size_t run);  // they come; returns the groups that go on together
  void refuse() { offers_.decline(); }
  void refuse_until_end() { takes_help_ = false; }
  void end_run() { offers_.end_run(); }
  int64_t called_at() const { return joined_at_.back(); }   // the step that it went on after
  void remove_states(const TrainSettings& settings) const;  // that were for help alone

 private:
  SweepTeam& team_;
  std::unique_ptr<HelpPost> post_;
  HelpOffers offers_;
  RunPace pace_;
  bool takes_help_ = true;
  std::vector<int64_t> joined_at_;  // steps whose states groups that came went on from, in earlier starts too
};

}  // namespace leco
