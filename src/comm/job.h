// This process as a part of its job: the rank that error texts name, and the one way to end all processes at
// once.
#pragma once

#include <string_view>

namespace leco {

// How the other processes are ended. Called in any thread, so it must bear that.
using KillJob = void (*)(int status);

// World calls these around the life of MPI. Before, after and without MPI the process is rank 0 of 1.
void join_job(int rank, int size, KillJob kill);
void leave_job();

int job_rank() noexcept;
int job_size() noexcept;

// Logs the reason with the rank (an empty one was told already), then ends every process of the job with the
// status, this one within 10 s at the latest even when the MPI library is stuck. Callable from any thread.
[[noreturn]] void end_job(std::string_view reason, int status) noexcept;

}  // namespace leco
