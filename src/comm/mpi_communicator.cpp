#include "comm/mpi_communicator.h"

#include <fmt/format.h>

#include <algorithm>
#include <exception>

#include "comm/job.h"
#include "comm/mpi_error.h"
#include "comm/mpi_group.h"
#include "comm/tensor_checks.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"

namespace leco {
namespace {

MPI_Datatype mpi_type(const torch::Tensor& tensor) {
  switch (tensor.scalar_type()) {
    case torch::kFloat32:
      return MPI_FLOAT;
    case torch::kFloat64:
      return MPI_DOUBLE;
    case torch::kInt32:
      return MPI_INT32_T;
    case torch::kInt64:
      return MPI_INT64_T;
    default:
      throw Error("internal: check_reducible let through a type that MPI is not told of");
  }
}

MPI_Op mpi_op(Reduce op) {
  return op == Reduce::kSum ? MPI_SUM : MPI_MAX;
}

// A tensor that MPI may read and write: itself, or for a CUDA tensor a copy that put_back() copies home.
class HostView {
 public:
  explicit HostView(torch::Tensor& tensor) : tensor_(tensor.detach()), host_(tensor_.to(torch::kCPU)) {}
  char* data() { return static_cast<char*>(host_.mutable_data_ptr()); }
  void put_back() {
    if (!tensor_.is_cpu()) tensor_.copy_(host_);
  }

 private:
  torch::Tensor tensor_;  // detached: shares the caller's memory and takes no part in autograd
  torch::Tensor host_;
};

class MpiCommunicator final : public Communicator {
 public:
  MpiCommunicator(MPI_Comm group, std::size_t max_chunk) : group_(group), max_chunk_(max_chunk) {
    LECO_MPI(MPI_Comm_rank(group_, &rank_));
    LECO_MPI(MPI_Comm_size(group_, &size_));
  }

  ~MpiCommunicator() override {
    // Freeing is collective: when an exception takes this rank out, the others would not come to it.
    if (std::uncaught_exceptions() > 0) return;
    try {
      int finalized = 0;
      LECO_MPI(MPI_Finalized(&finalized));
      if (finalized == 0) LECO_MPI(MPI_Comm_free(&group_));
    } catch (const std::exception& error) {
      log::error(error.what());
    }
  }

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void all_reduce(torch::Tensor& tensor, Reduce op) override {
    check_reducible(tensor);
    HostView view(tensor);
    {
      const Watch watch = Watch::of_collective(name_all_reduce(tensor, op, size_), rank_);
      const auto width = tensor.element_size();
      for_chunks(tensor.numel(), [&](std::size_t first, int count) {
        char* chunk = view.data() + first * width;
        LECO_MPI(MPI_Allreduce(MPI_IN_PLACE, chunk, count, mpi_type(tensor), mpi_op(op), group_));
      });
    }
    view.put_back();
  }

  void broadcast(torch::Tensor& tensor, int root) override {
    check_contiguous("broadcast", tensor);
    check_root(root, size_);
    HostView view(tensor);
    {
      const Watch watch = Watch::of_collective(name_broadcast(tensor, root, size_), rank_);
      for_chunks(tensor.nbytes(), [&](std::size_t first, int count) {
        LECO_MPI(MPI_Bcast(view.data() + first, count, MPI_BYTE, root, group_));
      });
    }
    view.put_back();
  }

  std::vector<double> all_gather(double value) override {
    const Watch watch = Watch::of_collective(fmt::format("all_gather over {} ranks", size_), rank_);
    std::vector<double> values(static_cast<std::size_t>(size_));
    LECO_MPI(MPI_Allgather(&value, 1, MPI_DOUBLE, values.data(), 1, MPI_DOUBLE, group_));
    return values;
  }

  void barrier() override {
    const Watch watch = Watch::of_collective(fmt::format("barrier over {} ranks", size_), rank_);
    LECO_MPI(MPI_Barrier(group_));
  }

  std::unique_ptr<Communicator> split(int color) override {
    check_color(color);
    const Watch watch = Watch::of_collective(fmt::format("split of {} ranks", size_), rank_);
    MPI_Comm part = MPI_COMM_NULL;
    LECO_MPI(MPI_Comm_split(group_, color, rank_, &part));
    return std::make_unique<MpiCommunicator>(part, max_chunk_);
  }

  [[noreturn]] void abort(std::string_view reason, int status) noexcept override { end_job(reason, status); }

 private:
  // Calls part(first, count) for consecutive stretches of [0, total), each of at most max_chunk_.
  template <typename Part>
  void for_chunks(std::size_t total, const Part& part) const {
    for (std::size_t first = 0; first < total; first += max_chunk_) {
      part(first, static_cast<int>(std::min(max_chunk_, total - first)));
    }
  }

  MPI_Comm group_;
  std::size_t max_chunk_;
  int rank_ = 0;
  int size_ = 0;
};

}  // namespace

std::unique_ptr<Communicator> make_mpi_communicator(std::size_t max_chunk) {
  if (max_chunk == 0 || max_chunk > INT_MAX) {
    throw Error(fmt::format("a chunk of {} elements; MPI counts go from 1 to {}", max_chunk, INT_MAX));
  }
  const Watch watch("first meeting of the ranks");
  MPI_Comm group = MPI_COMM_NULL;
  LECO_MPI(MPI_Comm_dup(MPI_COMM_WORLD, &group));
  return std::make_unique<MpiCommunicator>(group, max_chunk);
}

std::unique_ptr<Communicator> make_mpi_group(const std::vector<int>& ranks_of_job) {
  return std::make_unique<MpiCommunicator>(make_group(ranks_of_job), INT_MAX);
}

}  // namespace leco
