// Tests that run on a GPU, and as their twins where there is none: on the CPU, and on a stand-in.
#pragma once

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <string>

#include "comm/nccl_communicator.h"
#include "comm/world.h"
#include "tests/gpu/stand_in_device.h"

namespace leco {

inline bool gpu_is_visible() {
  return built_with_nccl() && torch::cuda::device_count() > 0;
}

// Parameter "cuda", "cpu" or "stand_in"; the first skips with this reason, which CTest knows
// (tests/gpu/CMakeLists.txt).
class DeviceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (on_gpu() && !gpu_is_visible()) GTEST_SKIP() << "no GPU is visible";
  }
  bool on_gpu() const { return GetParam() == std::string("cuda"); }
  torch::Device device() const {
    if (GetParam() == std::string("stand_in")) return stand_in_device();
    return choose_device(GetParam(), /*local_rank=*/0);
  }
};

inline std::string name_of_case(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace leco
