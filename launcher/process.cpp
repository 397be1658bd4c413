#include "launcher/process.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <fcntl.h>
#include <malloc.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <ctime>
#include <initializer_list>
#include <limits>

#include "comm/watchdog.h"
#include "io/atomic_file.h"

namespace leco {
namespace {

void on_terminate(int signal) {
  report_waits();
  constexpr timespec kForTheReport{.tv_sec = 0, .tv_nsec = 500'000'000};
  nanosleep(&kForTheReport, nullptr);
  end_by_signal(signal);
}

// A process may be started with stdin, stdout or stderr closed. The next file that it opens would get the
// free number, and what is printed would go into that file.
void open_closed_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (fcntl(stream, F_GETFD) < 0) [[maybe_unused]]
      const int opened = open("/dev/null", O_RDWR);  // gets the lowest free number, which is this one
}

}  // namespace

void end_by_signal(int signal) noexcept {
  remove_temporary_file();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

void prepare_process() {
  open_closed_streams();
  // A U-Net frees and asks for the same large buffers all the time. glibc gives them back to the system and
  // faults every page anew: a third of a small picture's time on the CPU.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  // Torch then asks for pages of 2 MB: weights take thousands of page faults instead of millions, and fewer
  // misses while computing.
  setenv("THP_MEM_ALLOC_ENABLE", "1", /*overwrite=*/0);
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  for (const int signal : {SIGTERM, SIGINT, SIGHUP}) {
    if (std::signal(signal, on_terminate) == SIG_IGN)
      std::signal(signal, SIG_IGN);  // nohup, or `&` in a script
  }
  std::signal(SIGXFSZ, SIG_IGN);  // a file beyond the limit is then an error that can be told
  std::signal(SIGPIPE, SIG_IGN);  // who reads the log lines may go; the training need not end for it
}

void make_deterministic(int threads) {
  at::set_num_threads(threads);
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(true, /*warn_only=*/false);
  context.setDeterministicFillUninitializedMemory(false);  // every buffer is written before it is read
  context.setDeterministicCuDNN(true);
  context.setBenchmarkCuDNN(false);
  context.setAllowTF32CuDNN(false);
  context.setAllowTF32CuBLAS(false);
  context.setAllowFP16ReductionCuBLAS(false);
  context.setAllowBF16ReductionCuBLAS(false);
}

void allow_nondeterministic() {
  at::Context& context = at::globalContext();
  context.setDeterministicAlgorithms(false, /*warn_only=*/false);
  context.setDeterministicCuDNN(false);
  context.setBenchmarkCuDNN(true);
}

}  // namespace leco
