#include "launcher/process.h"

#include <ATen/Context.h>
#include <ATen/Parallel.h>
#include <malloc.h>

#include <csignal>
#include <cstdlib>
#include <limits>

#include "comm/watchdog.h"

namespace leco {
namespace {

void on_terminate(int signal) {
  report_waits();
  std::signal(signal, SIG_DFL);
  std::raise(signal);
}

}  // namespace

void prepare_process() {
  // A U-Net frees and asks for the same large buffers all the time. glibc gives them back to the system and
  // faults every page anew: a third of a small picture's time on the CPU.
  mallopt(M_MMAP_MAX, 0);
  mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
  setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8", /*overwrite=*/0);
  std::signal(SIGTERM, on_terminate);
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
}

}  // namespace leco
