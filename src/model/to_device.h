// Small values that the host computes (draws, timesteps, multipliers) on their way to the device.
#pragma once

#include <torch/types.h>

namespace leco {

// Does not wait for the work that the device still has. The source may go at once: CUDA sets pageable memory
// aside before the call returns. A tensor that is there already is returned as it is.
inline torch::Tensor to_device(const torch::Tensor& host, torch::Device device) {
  return host.to(torch::TensorOptions(device), /*non_blocking=*/true);
}

}  // namespace leco
