// A device for tests that computes as the CPU does and is another one to torch: for want of a GPU. What only
// runs where tensors lie on the CPU fails on it, or is seen by a DeviceWatch.
#pragma once

#include <torch/types.h>

namespace leco {

// torch's place for backends of others. Each operator copies what it is given to the CPU and its result back.
torch::Device stand_in_device();

}  // namespace leco
