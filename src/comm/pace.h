// How fast this rank does one kind of its own work, so that the time for the next piece is known beforehand.
#pragma once

#include <algorithm>

namespace leco {

// Loads are in any one unit, 1 where all pieces are alike.
class Pace {
 public:
  void note(double load, double seconds) {
    if (load > 0) seconds_a_load_ = std::max(seconds_a_load_, seconds / load);
  }
  // Seconds that a piece takes at the slowest pace so far; 0: nothing is known.
  double expect(double load) const { return seconds_a_load_ * load; }

 private:
  double seconds_a_load_ = 0;
};

}  // namespace leco
