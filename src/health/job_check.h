// A check that every rank makes for itself, told as one line for the whole job. The messages are a number and
// one rank's text, however many ranks there are.
#pragma once

#include <string>

#include "comm/communicator.h"
#include "health/check.h"

namespace leco {

struct JobCheck {
  Check check;       // the worst; of equally bad ones that of the lowest rank
  int rank = 0;      // whose it is
  std::string host;  // the node of that rank
  int ranks = 1;     // how many ranks came to this verdict
};

// Collective over `comm`, which carries host memory; the same on every rank.
JobCheck worst_of_all(Communicator& comm, const Check& mine);

}  // namespace leco
