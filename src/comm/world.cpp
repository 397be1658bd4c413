#include "comm/world.h"

#include <fmt/format.h>
#include <torch/cuda.h>

#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <numeric>
#include <optional>
#include <vector>

#include "comm/launch_environment.h"
#include "comm/local_communicator.h"
#include "comm/meeting.h"
#include "comm/mpi_communicator.h"
#include "comm/mpi_session.h"
#include "comm/nccl_communicator.h"
#include "comm/post.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

std::atomic<bool> world_exists{false};

using GpusOfRanks = std::vector<std::vector<double>>;  // node, device and MIG place of each rank's

bool is_owned(const GpusOfRanks& gpus, int rank) {
  const auto& mine = gpus[static_cast<size_t>(rank)];
  return mine[1] >= 0 && std::ranges::count(gpus, mine) == 1;  // no other rank has it
}

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
  std::optional<OnlyWorld> only;    // of the whole job's world
  std::shared_ptr<MpiSession> mpi;  // null where no MPI launcher was at work
  std::unique_ptr<Communicator> host;
  std::vector<int> ranks_of_job = {};     // in this world
  std::shared_ptr<Meeting> meeting = {};  // of a part, and of a whole that was split
  std::shared_ptr<Post> post = {};        // of the job; null where it is one rank

  // Where a rank's GPU is, the same for two ranks of one GPU only; another for each rank without one.
  GpusOfRanks gather_gpus(torch::Device device) const {
    const bool usable = device.is_cuda() && built_with_nccl();
    const GpuPlace place = usable ? gpu_place(device) : GpuPlace{-1, -1, host->rank()};
    GpusOfRanks gpus(static_cast<size_t>(host->size()));
    for (const int part : {mpi->node(), place[0], place[1], place[2]}) {
      const std::vector<double> of_ranks = host->all_gather(part);
      for (size_t rank = 0; rank < gpus.size(); ++rank) gpus[rank].push_back(of_ranks[rank]);
    }
    return gpus;
  }

  // A fresh communicator of the same ranks. Collective.
  void meet() {
    if (ranks_of_job.size() == 1) {
      host = make_local_communicator();
      return;
    }
    meeting = std::make_shared<Meeting>(ranks_of_job);
    host = with_meetings(make_mpi_group(ranks_of_job), meeting);
  }
};

World::World() {
  collective_limit();  // a wrong LECO_TIMEOUT_SECONDS shows here, before anything is begun
  implementation_ = std::make_unique<Implementation>();
  implementation_->only.emplace();
  implementation_->mpi = start_mpi();
  const bool many = implementation_->mpi && implementation_->mpi->size() > 1;
  implementation_->host = many ? make_mpi_communicator() : make_local_communicator();
  if (many) implementation_->post = std::make_shared<Post>();
}

World::World(std::unique_ptr<Implementation> implementation) : implementation_(std::move(implementation)) {}

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
  if (!implementation_->mpi) return device.is_cuda() && built_with_nccl();
  return is_owned(implementation_->gather_gpus(device), rank());
}

std::unique_ptr<World> World::split(int color) {
  auto part = std::make_unique<Implementation>();
  part->mpi = implementation_->mpi;
  if (size() == 1) {
    part->host = make_local_communicator();
    return std::unique_ptr<World>(new World(std::move(part)));
  }
  if (!implementation_->meeting) {
    std::vector<int> all(static_cast<size_t>(size()));
    std::iota(all.begin(), all.end(), 0);
    implementation_->meeting = std::make_shared<Meeting>(all);
  }
  part->post = implementation_->post;
  const std::vector<double> colors = host().all_gather(color);
  for (int rank = 0; rank < size(); ++rank)
    if (colors[static_cast<size_t>(rank)] == color) part->ranks_of_job.push_back(rank);
  part->meet();
  return std::unique_ptr<World>(new World(std::move(part)));
}

std::unique_ptr<World> World::join(const std::vector<int>& ranks_of_job) const {
  auto joined = std::make_unique<Implementation>();
  joined->mpi = implementation_->mpi;
  joined->post = implementation_->post;
  joined->ranks_of_job = ranks_of_job;
  joined->meet();
  return std::unique_ptr<World>(new World(std::move(joined)));
}

void World::give_up(std::string_view why) {
  if (implementation_->meeting) implementation_->meeting->give_up(why);
}

void World::renew() {
  if (implementation_->meeting) implementation_->meet();
}

void World::ring(int number) {
  if (implementation_->post) implementation_->post->ring(number);
}

int World::heard() {
  return implementation_->post ? implementation_->post->heard() : 0;
}

void World::send(int rank_of_job, std::string_view text) {
  LECO_ASSERT(implementation_->post);
  implementation_->post->send(rank_of_job, text);
}

std::optional<Letter> World::receive() {
  return implementation_->post ? implementation_->post->receive() : std::nullopt;
}

void World::wait_for_all(const std::function<void()>& meanwhile) {
  if (implementation_->meeting) implementation_->meeting->arrive("the end of all groups", meanwhile);
}

std::unique_ptr<Communicator> World::communicator_for(torch::Device device) {
  if (size() == 1) return make_local_communicator();
  const auto gpus = implementation_->gather_gpus(device);
  int owners = 0;
  for (int rank = 0; rank < size(); ++rank) owners += is_owned(gpus, rank);
  if (owners == size()) {
    auto nccl = make_nccl_communicator(host().split(0), device);
    if (!implementation_->meeting) return nccl;
    return with_meetings(std::move(nccl), implementation_->meeting);
  }
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
