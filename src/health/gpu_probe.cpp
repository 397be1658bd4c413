#include "health/gpu_probe.h"

#include <ATen/Context.h>
#include <ATen/cuda/CUDAContextLight.h>
#include <c10/core/CachingDeviceAllocator.h>
#include <dlfcn.h>
#include <fmt/format.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <array>
#include <optional>

#include "comm/nccl_communicator.h"

namespace leco {
namespace {

// The few functions of NVIDIA's management library that are asked, as its documentation declares them (a
// status of 0 is success). The library belongs to the driver, so it is loaded and not linked.
class Nvml {
 public:
  Nvml() : library_(dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL)) {
    const auto init = find<int()>("nvmlInit_v2");
    works_ = init != nullptr && init() == 0;
  }
  ~Nvml() {
    if (const auto shutdown = find<int()>("nvmlShutdown"); works_ && shutdown != nullptr) shutdown();
    if (library_ != nullptr) dlclose(library_);
  }
  Nvml(const Nvml&) = delete;
  Nvml& operator=(const Nvml&) = delete;

  std::string driver() const {
    std::array<char, 80> text{};
    const auto ask = find<int(char*, unsigned)>("nvmlSystemGetDriverVersion");
    return works_ && ask != nullptr && ask(text.data(), text.size()) == 0 ? text.data() : "";
  }

  // Whether NVLink joins the two; false also where that cannot be found out.
  bool joined_by_nvlink(const GpuPlace& one, const GpuPlace& other) const {
    constexpr int kByNvlink = 2;  // NVML_P2P_CAPS_INDEX_NVLINK
    const auto ask = find<int(void*, void*, int, int*)>("nvmlDeviceGetP2PStatus");
    const auto first = handle(one), second = handle(other);
    int status = -1;
    return ask != nullptr && first && second && ask(*first, *second, kByNvlink, &status) == 0 && status == 0;
  }

 private:
  template <typename Function>
  Function* find(const char* name) const {
    return library_ == nullptr ? nullptr : reinterpret_cast<Function*>(dlsym(library_, name));
  }

  std::optional<void*> handle(const GpuPlace& place) const {
    const auto ask = find<int(const char*, void**)>("nvmlDeviceGetHandleByPciBusId_v2");
    const std::string bus = fmt::format("{:08x}:{:02x}:{:02x}.0", place[0], place[1], place[2]);
    void* device = nullptr;
    if (!works_ || ask == nullptr || ask(bus.c_str(), &device) != 0) return std::nullopt;
    return device;
  }

  void* library_;
  bool works_ = false;
};

GpuLink link_between(const Nvml& nvml, int one, int other) {
  const auto index = [](int gpu) { return static_cast<c10::DeviceIndex>(gpu); };
  const auto device = [&](int gpu) { return torch::Device(torch::kCUDA, index(gpu)); };
  if (!at::cuda::canDeviceAccessPeer(index(one), index(other))) return GpuLink::kHost;
  return nvml.joined_by_nvlink(gpu_place(device(one)), gpu_place(device(other))) ? GpuLink::kNvlink
                                                                                 : GpuLink::kPeer;
}

// A product of whole numbers, whose every element is known beforehand; empty when it is right.
std::string trouble_of(torch::Device device) {
  constexpr int64_t kSide = 512;
  try {
    const torch::Tensor twos =
        at::full({kSide, kSide}, 2.0, at::TensorOptions(device).dtype(torch::kFloat32));
    const torch::Tensor product = at::mm(twos, twos).to(torch::kCPU);
    const int64_t wrong = (product != 4.0 * kSide).sum().item<int64_t>();
    return wrong == 0
               ? ""
               : fmt::format("{} of {} elements of a product of matrices are wrong", wrong, kSide * kSide);
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();
  }
}

Gpu look_closely(int gpu) {
  const torch::Device device(torch::kCUDA, static_cast<c10::DeviceIndex>(gpu));
  Gpu found{.name = gpu_name(device)};
  try {
    const auto [free, total] = c10::getDeviceAllocator(torch::kCUDA)->getMemoryInfo(device.index());
    found.free_bytes = static_cast<int64_t>(free);
    found.memory_bytes = static_cast<int64_t>(total);
  } catch (const c10::Error& error) {
    found.trouble = error.what_without_backtrace();
    return found;
  }
  found.trouble = trouble_of(device);
  return found;
}

}  // namespace

GpuView see_gpus(int local_rank) {
  GpuView view;
  view.local_rank = local_rank;
  const int visible = static_cast<int>(torch::cuda::device_count());
  if (visible == 0) return view;
  at::globalContext().lazyInitDevice(torch::kCUDA);
  const Nvml nvml;
  for (int gpu = 0; gpu < visible; ++gpu) {
    const torch::Device device(torch::kCUDA, static_cast<c10::DeviceIndex>(gpu));
    view.gpus.push_back(gpu == local_rank % visible ? look_closely(gpu) : Gpu{.name = gpu_name(device)});
    std::vector<GpuLink> row;
    for (int other = 0; other < visible; ++other)
      row.push_back(other == gpu ? GpuLink::kPeer : link_between(nvml, gpu, other));
    view.links.push_back(std::move(row));
  }
  return view;
}

std::string driver_version() {
  return Nvml().driver();
}

}  // namespace leco
