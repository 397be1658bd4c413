// What ranks say to each other. Back-ends: local (a world of one), MPI (host memory; also the oracle of the tests) and
// NCCL (CUDA tensors). No MPI or NCCL type leaves the back-ends' .cpp files.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string_view>
#include <vector>

namespace leco {

enum class Reduce { kSum, kMax };

// Every call is collective in its group: all ranks make it, in the same order, with tensors of the same shape and type.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place; contiguous; float32/64 or int32/64 (anything else throws). Sums of floats are in the back-end's order.
  virtual void all_reduce(torch::Tensor& tensor, Reduce op) = 0;
  // In place, any dense type, as bytes; every rank holds `root`'s contents afterwards.
  virtual void broadcast(torch::Tensor& tensor, int root) = 0;
  // One value a rank, in rank order.
  virtual std::vector<double> all_gather(double value) = 0;
  virtual void barrier() = 0;
  // Ranks of equal colour form a new group, in the order of their ranks here.
  virtual std::unique_ptr<Communicator> split(int color) = 0;
  // Ends every process of the job with the status; never returns, never throws.
  [[noreturn]] virtual void abort(std::string_view reason, int status) noexcept = 0;
};

}  // namespace leco
