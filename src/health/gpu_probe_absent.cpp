// Stands for gpu_probe.cpp in a build without CUDA.
#include "health/gpu_probe.h"

namespace leco {

GpuView see_gpus(int) {
  GpuView view;
  view.built_with_cuda = false;
  return view;
}

std::string driver_version() {
  return {};
}

}  // namespace leco
