// What is right and wrong about the GPUs that a rank sees, decided from a list of them, so that a made list
// can be judged where there is no GPU.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "health/check.h"

namespace leco {

// How two GPUs reach each other's memory.
enum class GpuLink {
  kNvlink,
  kPeer,  // directly, over PCIe or over a link that cannot be told
  kHost,  // only through the host's memory
};

struct Gpu {
  std::string name;
  int64_t memory_bytes = 0, free_bytes = 0;
  std::string trouble = {};  // why a small computation on it gave no or a wrong result; empty: it was right
};

enum class DeviceWish { kAuto, kCpu, kCuda };  // --device

// What a rank sees of its node.
struct GpuView {
  std::vector<Gpu> gpus = {};  // the visible ones, in CUDA's order; details of the own one only
  std::vector<std::vector<GpuLink>> links = {};  // links[i][j], i ≠ j
  int local_rank = 0, local_size = 1;
  bool shares_own = false;  // another rank of the node uses the same GPU
  bool built_with_cuda = true;
  DeviceWish wish = DeviceWish::kAuto;

  bool uses_gpu() const { return wish != DeviceWish::kCpu && !gpus.empty(); }
  int own() const { return local_rank % static_cast<int>(gpus.size()); }  // of visible ones: comm/world.h
};

// The rank's own GPU: there, alone, empty and computing.
Check gpu_check(const GpuView& view);

// How the GPUs that this node's ranks use reach each other; all visible ones for a single rank.
Check link_check(const GpuView& view);

}  // namespace leco
