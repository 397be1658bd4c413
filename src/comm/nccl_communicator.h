// The back-end over NCCL: CUDA tensors stay on their GPU and go through torch's current stream. A host tensor
// given to all_reduce or broadcast throws; all_gather and barrier go through the host group.
#pragma once

#include <array>
#include <memory>
#include <string>

#include "comm/communicator.h"

namespace leco {

// False in a build without CUDA, where making a communicator and asking for a GPU throw.
bool built_with_nccl();
std::string nccl_version();  // of the library that was loaded: "2.28.9"; empty in a build without CUDA

// The ranks of `host`, which it keeps for bootstrap, split and abort. Each rank has a GPU of its own.
// Collective.
std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host,
                                                     torch::Device device);

// PCI domain, bus and device: what tells GPUs of one node apart, however the launcher numbers them for each
// rank.
using GpuPlace = std::array<int, 3>;
GpuPlace gpu_place(torch::Device device);

std::string gpu_name(torch::Device device);  // "NVIDIA H100 80GB HBM3"

}  // namespace leco
