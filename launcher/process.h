// What the whole process needs before libtorch does its first work.
#pragma once

namespace leco {

// Keeps freed memory for the next temporary of the same size, makes cuBLAS deterministic, lets a rank that is
// ended from outside name the operation it waits in and remove the file it was writing, and sees to it that
// closed or broken standard streams harm nothing.
void prepare_process();

// For a handler: removes the file that is being written, and ends the process as if nothing had handled it.
// Async-signal-safe.
void end_by_signal(int signal) noexcept;

// Same numbers in every run: deterministic kernels, no TF32, no cuDNN benchmark. CPU work on `threads`
// threads.
void make_deterministic(int threads);

// Takes back the first and the last of it: on a GPU kernels may be chosen by their speed, and may add up in
// any order.
void allow_nondeterministic();

}  // namespace leco
