// Whether it pays to stop a run for a moment, so that more ranks go on with it from its state. Each step has
// a number of packs, shared out over the ranks; what the busiest rank does decides how long a step takes.
#pragma once

#include <cstdint>

namespace leco {

struct HelpCase {
  int64_t packs = 1;         // a step
  int64_t ranks = 1;         // at work now
  int64_t offered = 0;       // more
  double seconds_left = 0;   // of the run as it goes now
  double start_seconds = 0;  // that a start takes, before its first step
};

enum class HelpVerdict { kNow, kLater, kNever };  // kLater: with some more ranks beside the offered ones

HelpVerdict judge_help(const HelpCase& of);

// How long a run needs, from when its steps were finished.
class RunPace {
 public:
  void begin(double now);  // of a start; seconds of any clock
  // First when the start is ready for its first step. The first note of a step counts.
  void note(int64_t finished_steps, double now);

  int64_t last_step() const { return last_step_; }
  double start_seconds() const { return longest_start_; }  // the longest so far
  bool is_known() const { return last_step_ > first_step_; }
  double seconds_left(int64_t all_steps) const;  // once it is known

 private:
  double begun_ = 0, longest_start_ = 0, first_time_ = 0, last_time_ = 0;
  int64_t calls_ = 0, first_step_ = 0, last_step_ = 0;
};

}  // namespace leco
