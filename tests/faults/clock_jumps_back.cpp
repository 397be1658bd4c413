// To be preloaded into a program: whenever it reads the wall clock, that has gone back a minute, as a node's
// does that is set right, so that no slow start comes too late for it. Clocks that only count stay as they
// are.
#include <dlfcn.h>

#include <atomic>
#include <ctime>

namespace {

using Function = int (*)(clockid_t, timespec*);

Function original() {
  static const auto function = reinterpret_cast<Function>(dlsym(RTLD_NEXT, "clock_gettime"));
  return function;
}

std::atomic<int> readings = 0;

}  // namespace

extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
  const int status = original()(clock, time);
  if (status == 0 && clock == CLOCK_REALTIME) time->tv_sec -= 60 * ++readings;
  return status;
}
