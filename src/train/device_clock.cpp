#include "train/device_clock.h"

#include <ATen/detail/CUDAHooksInterface.h>

namespace leco {

void DeviceClock::add(Phase phase, std::chrono::steady_clock::time_point start) {
  if (device_.is_cuda()) at::detail::getCUDAHooks().deviceSynchronize(device_.index());
  const std::chrono::duration<double> passed = std::chrono::steady_clock::now() - start;
  seconds_[static_cast<size_t>(phase)] += passed.count();
}

}  // namespace leco
