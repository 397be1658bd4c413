// What ranks say to each other. Back-ends: local (a world of one), MPI (host memory; also the oracle of the
// tests) and NCCL (CUDA tensors). No MPI or NCCL type leaves the back-ends' own files.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string_view>
#include <vector>

#include "core/error.h"

namespace leco {

enum class Reduce { kSum, kMax };

// Every call is collective in its group: all ranks make it, in the same order, with tensors of the same shape
// and type. It returns when its result is there, also on a GPU. One that does not return in time ends the job
// (watchdog.h). All calls come from one thread, the one that made World. Errors are leco::Error. A refused
// argument is seen before anything is sent; after any other error the group is of no more use.
class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;

  // In place; contiguous; float32/64 or int32/64 (anything else throws). Sums of floats are in the back-end's
  // order; sums and maxima of integers, and maxima of floats, are exact. A maximum may lose a NaN: look for
  // NaN before.
  virtual void all_reduce(torch::Tensor& tensor, Reduce op) = 0;
  // In place, any type, contiguous, as bytes; every rank holds `root`'s contents afterwards.
  virtual void broadcast(torch::Tensor& tensor, int root) = 0;
  // One value a rank, in rank order.
  virtual std::vector<double> all_gather(double value) = 0;
  virtual void barrier() = 0;
  // Ranks of equal colour (>= 0) form a new group, in the order of their ranks here.
  virtual std::unique_ptr<Communicator> split(int color) = 0;
  // Ends every process of the job, not only of this group, with the status; logs the reason with the rank on
  // stderr unless it is empty. Not collective; never returns, never throws.
  [[noreturn]] virtual void abort(std::string_view reason, int status) noexcept = 0;
};

// In a world that World::split() made: another rank gave up; the text is its reason.
class PeerFailure : public Error {
 public:
  using Error::Error;
};

}  // namespace leco
