// Stands for nccl_communicator.cpp in a build without CUDA.
#include "comm/nccl_communicator.h"
#include "core/error.h"

namespace leco {

bool built_with_nccl() {
  return false;
}

std::string nccl_version() {
  return {};
}

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator>, torch::Device) {
  throw Error("this build has no NCCL (LECO_CUDA=OFF)");
}

GpuPlace gpu_place(torch::Device) {
  throw Error("this build has no CUDA (LECO_CUDA=OFF)");
}

std::string gpu_name(torch::Device) {
  throw Error("this build has no CUDA (LECO_CUDA=OFF)");
}

}  // namespace leco
