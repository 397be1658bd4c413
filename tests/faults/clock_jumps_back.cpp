// To be preloaded into a program: its wall clock jumps an hour back when it has lived for half a second, as a
// node's does that is set right. Clocks that only count stay as they are.
#include <dlfcn.h>

#include <ctime>

namespace {

using Function = int (*)(clockid_t, timespec*);

Function original() {
  static const auto function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  return function;
}

double counted() {
  timespec time;
  original()(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + 1e-9 * static_cast<double>(time.tv_nsec);
}

const double started = counted();

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int status = original()(clock, time);
  if (status == 0 && clock == CLOCK_REALTIME && counted() - started > 0.5) time->tv_sec -= 3600;
  return status;
}
