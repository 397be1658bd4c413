// Tests that run on a GPU, and as their twin on the CPU where there is none.
#pragma once

#include <gtest/gtest.h>
#include <torch/cuda.h>

#include <string>

#include "comm/nccl_communicator.h"
#include "comm/world.h"

namespace leco {

inline bool gpu_is_visible() {
  return built_with_nccl() && torch::cuda::device_count() > 0;
}

// Parameter "cuda" or "cpu"; the first skips with this reason, which CTest knows (tests/gpu/CMakeLists.txt).
class DeviceTest : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (on_gpu() && !gpu_is_visible()) GTEST_SKIP() << "no GPU is visible";
  }
  bool on_gpu() const { return GetParam() == std::string("cuda"); }
  torch::Device device() const { return choose_device(GetParam(), /*local_rank=*/0); }
};

inline std::string name_of_case(const ::testing::TestParamInfo<const char*>& info) {
  return info.param;
}

}  // namespace leco
