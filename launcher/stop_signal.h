// A signal that asks a training to stop: SIGTERM (schedulers), SIGUSR1 (schedulers, mpirun), SIGINT (Ctrl-C).
#pragma once

#include <string>

namespace leco {

// From now on the first of them is noted instead of ending the process; what was ignored stays ignored. A
// second Ctrl-C ends it at once. Other signals than these three change nothing: Slurm sends SIGCONT with
// SIGTERM.
void catch_stop_signals();

int stop_signal() noexcept;  // the first that came; 0: none

std::string signal_name(int signal);  // "SIGTERM"

}  // namespace leco
