// Which run a group of ranks takes next: the costliest that nobody has.
//
// Runs are taken in one order by everybody, so what is taken is nearly the front of the list. The first free
// run is found by doubling steps and then halving, in O(log n) looks, however many others take runs at the
// same time. What was passed over (somebody had it then) is looked through once more at the end, by one
// claimant.
#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "sweep/run_board.h"

namespace leco {

class RunQueue {
 public:
  struct Taken {
    size_t run;
    std::unique_ptr<ClaimFile> claim;
  };

  // `open`: the runs that were not finished at the start, costliest first. `begun`: those of them that
  // somebody had a claim on then; where its owner is dead they come first. The board must outlive this.
  RunQueue(RunBoard& board, std::vector<size_t> open, std::vector<size_t> begun = {})
      : board_(board), open_(std::move(open)), begun_(std::move(begun)) {}

  // Nothing when all are finished, failed, or taken by others.
  std::optional<Taken> next();

  // After next() gave nothing: goes through all that others had, and takes what is free again or was left by
  // a dead owner. `left` gets how many are still taken.
  std::optional<Taken> next_left_over(size_t& left);

  // Runs that could not be claimed, and why: nobody works on them.
  struct Refused {
    size_t run;
    std::string error;
  };
  const std::vector<Refused>& refused() const { return refused_; }

  // Whether everybody who held a run in the last next_left_over() has touched its claim since the first of
  // them: they live, and it is theirs.
  bool others_live() const { return waiting_.empty(); }

 private:
  struct Waiting {
    size_t run;
    timespec touched;
  };
  std::optional<Taken> take(size_t run);
  size_t first_free(size_t from);
  void note_taken(size_t run);

  RunBoard& board_;
  std::vector<size_t> open_, begun_;
  size_t begun_at_ = 0;
  size_t at_ = 0;            // into open_: what lies before was taken, by us or by others
  std::set<size_t> closed_;  // runs that need no further look
  std::vector<Refused> refused_;
  std::vector<Waiting> waiting_;  // taken by others who have shown no life since we know of them
  std::set<size_t> alive_;        // taken by others who have
};

}  // namespace leco
