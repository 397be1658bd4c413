// The one small message of a step. Everything the ranks must agree on before the gradients are merged rides
// in it: a vector of float64 under a max-reduction, in which each item's entry is filled by the one rank that
// ran the item.
#pragma once

#include <array>
#include <limits>
#include <string>
#include <vector>

#include "comm/communicator.h"

namespace leco {

enum class Phase { kRollout, kFrozen, kTrain, kMerge, kUpdate };
inline constexpr size_t kPhases = 5;
const char* phase_name(Phase phase);  // "rollout", as the metrics file has it
using PhaseSeconds = std::array<double, kPhases>;

struct StepMessage {
  explicit StepMessage(int64_t items) : losses(items, -std::numeric_limits<double>::infinity()) {}

  double greatest_gradient = 0;  // max |g| over all held gradients
  bool overflowed = false;       // a scaled gradient was not finite: float16, not a fault
  double faulty_rank = -1;       // the highest rank that met a non-finite number; −1: none
  std::string fault;             // what this rank met; once shared, what faulty_rank met
  double stop_signal = 0;        // the signal that asks this rank, or some rank, to stop; 0: none
  double busy = 0;               // seconds of this rank's own work; once shared, of the busiest rank's
  PhaseSeconds seconds{};        // of the slowest rank
  std::vector<double> losses;    // of each item, weight included

  // Collective. Every rank has the same message afterwards.
  void share(Communicator& comm, torch::Device device);
};

}  // namespace leco
