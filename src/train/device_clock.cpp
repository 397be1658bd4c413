#include "train/device_clock.h"

#include <ATen/detail/CUDAHooksInterface.h>

namespace leco {

void DeviceClock::add(Phase phase, AwakeClock::time_point start) {
  if (device_.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device_.index());
  const std::chrono::duration<double> passed = AwakeClock::now() - start;
  seconds_[static_cast<size_t>(phase)] += passed.count();
}

}  // namespace leco
