#include "comm/world.h"

#include <fmt/format.h>
#include <torch/cuda.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>

#include "comm/launch_environment.h"
#include "comm/local_communicator.h"
#include "comm/mpi_communicator.h"
#include "comm/mpi_session.h"
#include "comm/nccl_communicator.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

std::atomic<bool> world_exists{false};

// Held first, so that a constructor that fails later gives the place back.
struct OnlyWorld {
  OnlyWorld() {
    if (world_exists.exchange(true)) throw Error("internal: a second World while the first one lives");
  }
  ~OnlyWorld() { world_exists = false; }
};

std::unique_ptr<MpiSession> start_mpi() {
  const Launch launch = detect_launch([](const char* name) -> const char* { return std::getenv(name); });
  return launch.by_mpi ? std::make_unique<MpiSession>(launch.tasks) : nullptr;
}

}  // namespace

struct World::Implementation {
  OnlyWorld only;
  std::unique_ptr<MpiSession> mpi = start_mpi();  // null where no MPI launcher was at work
  std::unique_ptr<Communicator> host = mpi && mpi->size() > 1 ? make_mpi_communicator()
                                                              : make_local_communicator();
};

World::World() {
  collective_limit();  // a wrong LECO_TIMEOUT_SECONDS shows here, before anything is begun
  implementation_ = std::make_unique<Implementation>();
}

World::~World() = default;

int World::rank() const {
  return implementation_->host->rank();
}
int World::size() const {
  return implementation_->host->size();
}
int World::local_rank() const {
  return implementation_->mpi ? implementation_->mpi->local_rank() : 0;
}
int World::local_size() const {
  return implementation_->mpi ? implementation_->mpi->local_size() : 1;
}
Communicator& World::host() {
  return *implementation_->host;
}

std::optional<MpiFacts> World::mpi() const {
  if (!implementation_->mpi) return std::nullopt;
  return MpiFacts{.library = MpiSession::library_name(), .thread_level = MpiSession::thread_level()};
}

bool World::owns_gpu(torch::Device device) {
  const bool usable = device.is_cuda() && built_with_nccl();
  const GpuPlace nowhere{-1, -1, -1};
  const bool alone =
      !implementation_->mpi || implementation_->mpi->alone_on_gpu(usable ? gpu_place(device) : nowhere);
  return usable && alone;
}

std::unique_ptr<Communicator> World::communicator_for(torch::Device device) {
  if (size() == 1) return make_local_communicator();
  const auto owns = host().all_gather(owns_gpu(device) ? 1 : 0);
  const auto owners = std::count(owns.begin(), owns.end(), 1.0);
  if (owners == size()) return make_nccl_communicator(host().split(0), device);
  if (device.is_cuda()) {
    log::info(
        fmt::format("{} of {} ranks have a GPU of their own, so gradients are merged by MPI in host memory, "
                    "not by NCCL",
                    owners, size()));
  }
  return host().split(0);
}

torch::Device choose_device(const std::string& choice, int local_rank) {
  if (choice != "auto" && choice != "cpu" && choice != "cuda") {
    throw_usage(fmt::format("--device is '{}'; allowed: auto, cpu, cuda", choice));
  }
  if (choice == "cpu") return torch::kCPU;
  const int visible = built_with_nccl() ? torch::cuda::device_count() : 0;
  if (visible > 0) return torch::Device(torch::kCUDA, static_cast<c10::DeviceIndex>(local_rank % visible));
  if (choice == "auto") return torch::kCPU;
  throw_usage(
      built_with_nccl()
          ? "--device is 'cuda', but no GPU is visible (nvidia-smi, CUDA_VISIBLE_DEVICES); use auto or cpu"
          : "--device is 'cuda', but this program was built without CUDA (LECO_CUDA=OFF); use auto or cpu");
}

}  // namespace leco
