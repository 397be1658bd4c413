// A signal that asks a training to stop: SIGTERM (schedulers), SIGUSR1 (schedulers, mpirun), SIGINT (Ctrl-C).
#pragma once

#include <csignal>
#include <functional>
#include <string>

#include "comm/world.h"

namespace leco {

// From now on the first of them is noted instead of ending the process; what was ignored stays ignored. A
// second Ctrl-C ends it at once. Other signals than these three change nothing: Slurm sends SIGCONT with
// SIGTERM.
void catch_stop_signals();

// In a signal's place where a run of a sweep is to stop because more ranks will go on with it. Less than
// those signals, of which the greatest counts when ranks are asked different things.
inline constexpr int kMoreRanks = 1;
static_assert(kMoreRanks < SIGINT && kMoreRanks < SIGUSR1 && kMoreRanks < SIGTERM);

int stop_signal() noexcept;  // the first that came; 0: none

// The one that came to any rank of the job; 0: none. Whoever looks hears it, outside all collectives; a rank
// that got one tells it when it looks.
std::function<int()> stop_of_job(World& world);

std::string signal_name(int signal);  // "SIGTERM"

}  // namespace leco
