// What there is to see of the GPUs: CUDA through libtorch, the kind of link and the driver's version through
// the driver's own libnvidia-ml where it can be loaded. In a build without CUDA there is nothing to see.
#pragma once

#include <string>

#include "health/gpu_checks.h"

namespace leco {

// The visible GPUs and their links. Memory and a small computation are asked of the rank's own GPU only,
// since a rank takes memory of every GPU that it works on. Sharing, wish and the node's ranks are left to the
// caller.
GpuView see_gpus(int local_rank);

std::string driver_version();  // "580.65.06"; empty where it cannot be found out

}  // namespace leco
