// How long the ranks of a run wait for each other before one of them counts as lost. A step's cost is known
// beforehand and varies by the length of its rollouts, so the limit follows from it: ten times what the
// slowest step so far would have taken for it, ten minutes at least, since rank 0 saves files in between; an
// hour where nothing is known yet.
#pragma once

#include <chrono>

#include "comm/pace.h"

namespace leco {

class StepLimit {
 public:
  static constexpr std::chrono::seconds kUnknown = std::chrono::hours(1);

  // Sets the limit for a step whose busiest rank has this load (plan/cost.h), and what it usually takes.
  void expect(double load) const;
  std::chrono::seconds limit(double load) const;
  void note(double load, double seconds) { pace_.note(load, seconds); }  // of a finished step

 private:
  Pace pace_;
};

}  // namespace leco
