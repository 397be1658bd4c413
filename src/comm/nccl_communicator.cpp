#include "comm/nccl_communicator.h"

#include <ATen/cuda/CUDAContextLight.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/Event.h>
#include <c10/cuda/CUDAStream.h>
#include <fmt/format.h>

#include <chrono>
#include <optional>
#include <thread>

#include "comm/job.h"
#include "comm/library_error.h"
#include "comm/nccl_error.h"
#include "comm/parting.h"
#include "comm/tensor_checks.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {

void check_nccl(ncclResult_t code, const char* expression, std::source_location where) {
  if (code == ncclSuccess) return;
  const std::string text = fmt::format("{}; last: {}", ncclGetErrorString(code), ncclGetLastError(nullptr));
  throw_library_error({"NCCL", static_cast<int>(code), text, expression, where});
}

namespace {

constexpr auto kSpin =
    std::chrono::milliseconds(1);  // a merge takes about this long; a sleep would double it
constexpr auto kNap = std::chrono::microseconds(100);  // then leave the core to others

ncclDataType_t nccl_type(const torch::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case torch::kFloat32:
      return ncclFloat32;
    case torch::kFloat64:
      return ncclFloat64;
    case torch::kInt32:
      return ncclInt32;
    case torch::kInt64:
      return ncclInt64;
    default:
      throw Error("internal: check_reducible let through a type that NCCL is not told of");
  }
}

ncclRedOp_t nccl_op(Reduce op) {
  return op == Reduce::kSum ? ncclSum : ncclMax;
}

torch::Device with_index(torch::Device device) {
  if (!device.is_cuda()) throw Error("NCCL works on CUDA devices, not on " + device.str());
  return device.has_index() ? device : torch::Device(torch::kCUDA, c10::cuda::current_device());
}

class NcclCommunicator final : public Communicator {
 public:
  NcclCommunicator(std::unique_ptr<Communicator> host, torch::Device device)
      : host_(std::move(host)), device_(with_index(device)) {
    const Watch watch(fmt::format("start of NCCL over {} ranks", size()));
    const c10::DeviceGuard guard(device_);
    ncclUniqueId id{};
    if (rank() == 0) LECO_NCCL(ncclGetUniqueId(&id));
    auto bytes = torch::from_blob(&id, {static_cast<int64_t>(sizeof id)}, torch::kUInt8);
    host_->broadcast(bytes, 0);
    LECO_NCCL(ncclCommInitRank(&group_, size(), id, rank()));
    parting_.emplace(
        fmt::format("end of NCCL over {} ranks", size()), [this] { end(ncclCommDestroy, "ncclCommDestroy"); },
        [this] { end(ncclCommAbort, "ncclCommAbort"); });
    host_->barrier();  // a first collective that overtakes another rank's start can deadlock in the driver
  }

  int rank() const override { return host_->rank(); }
  int size() const override { return host_->size(); }

  void all_reduce(torch::Tensor& tensor, Reduce op) override {
    check_reducible(tensor);
    run("all_reduce", tensor, name_all_reduce(tensor, op, size()), [&](void* data, cudaStream_t stream) {
      const auto count = static_cast<std::size_t>(tensor.numel());
      LECO_NCCL(ncclAllReduce(data, data, count, nccl_type(tensor), nccl_op(op), group_, stream));
    });
  }

  void broadcast(torch::Tensor& tensor, int root) override {
    check_contiguous("broadcast", tensor);
    check_root(root, size());
    run("broadcast", tensor, name_broadcast(tensor, root, size()), [&](void* data, cudaStream_t stream) {
      LECO_NCCL(ncclBroadcast(data, data, tensor.nbytes(), ncclUint8, root, group_, stream));
    });
  }

  std::vector<double> all_gather(double value) override { return host_->all_gather(value); }
  void barrier() override { host_->barrier(); }

  std::unique_ptr<Communicator> split(int color) override {
    return std::make_unique<NcclCommunicator>(host_->split(color), device_);
  }

  [[noreturn]] void abort(std::string_view reason, int status) noexcept override { end_job(reason, status); }

 private:
  template <typename Call>
  void run(const char* operation, torch::Tensor& tensor, std::string name, const Call& call) {
    if (tensor.device() != device_) {
      throw Error(fmt::format("{} over NCCL on {} was given a tensor on {}", operation, device_.str(),
                              tensor.device().str()));
    }
    if (tensor.numel() == 0) return;
    const Watch watch = Watch::of_collective(std::move(name), rank());
    const c10::DeviceGuard guard(device_);
    const auto stream = c10::cuda::getCurrentCUDAStream(device_.index());
    call(tensor.detach().mutable_data_ptr(), stream.stream());
    wait(stream);
  }

  // NCCL only enqueues; waiting here is what lets a lost peer show as an error or to the watchdog.
  void wait(const c10::cuda::CUDAStream& stream) {
    c10::Event done(torch::kCUDA);
    done.record(stream.unwrap());
    const auto start = std::chrono::steady_clock::now();
    while (!done.query()) {
      check_async();
      if (std::chrono::steady_clock::now() - start > kSpin) std::this_thread::sleep_for(kNap);
    }
    check_async();
  }

  // Destruction waits for the others. An abort does not: it ends what is in flight and frees this rank's
  // part.
  void end(ncclResult_t (*way)(ncclComm_t), const char* name) {
    const c10::DeviceGuard guard(device_);
    check_nccl(way(group_), name);
  }

  void check_async() {
    ncclResult_t state = ncclSuccess;
    LECO_NCCL(ncclCommGetAsyncError(group_, &state));
    if (state != ncclInProgress) check_nccl(state, "a collective in flight");
  }

  std::unique_ptr<Communicator> host_;
  torch::Device device_;
  ncclComm_t group_ = nullptr;
  std::optional<Parting> parting_;  // the first to go
};

}  // namespace

bool built_with_nccl() {
  return true;
}

std::string nccl_version() {
  int version = 0;
  LECO_NCCL(ncclGetVersion(&version));
  return fmt::format("{}.{}.{}", version / 10000, version / 100 % 100, version % 100);
}

std::unique_ptr<Communicator> make_nccl_communicator(std::unique_ptr<Communicator> host,
                                                     torch::Device device) {
  return std::make_unique<NcclCommunicator>(std::move(host), device);
}

GpuPlace gpu_place(torch::Device device) {
  const auto* properties = at::cuda::getDeviceProperties(with_index(device).index());
  return {properties->pciDomainID, properties->pciBusID, properties->pciDeviceID};
}

std::string gpu_name(torch::Device device) {
  return at::cuda::getDeviceProperties(with_index(device).index())->name;
}

}  // namespace leco
