// The exact merge: the mean of all items' gradients, in the same bits however the items were spread over
// ranks.
//
// Floating-point sums depend on their order. So every pack's gradient is turned into 64-bit integers under
// one power of two that all ranks share; integers add to the same sum in any order. With U units, |g| < 2^e
// and 2^h ≥ U, the scale is 2^(62 − e − h): no sum can overflow, and what is lost lies 2^(h − 62) below the
// greatest gradient. (The idea: Demmel & Nguyen's pre-rounding; AMBER's SPFP, 10.1016/j.cpc.2012.09.022.)
//
// It goes through the gradient piece by piece, so that the integers stay in the processor's cache on their
// way into the sum and out of it.
#pragma once

#include <vector>

#include "comm/communicator.h"

namespace leco {

class GradientMerge {
 public:
  // `gradient`, (n) float32, is where one pack's gradient after the other is computed, and in the end gets
  // the mean.
  explicit GradientMerge(torch::Tensor& gradient) : gradient_(gradient) {}

  // Makes the gradient zero for the next pack of this rank; keeps a copy of what the one before left there.
  // Beyond kHeldOnDevice bytes copies go to host memory.
  void next_pack();

  // max |g| of the pack at work, which is not finite when an element is not.
  double greatest() const;

  // gradient = (1/items)·Σ over all packs of all ranks; forgets them. Collective, also for a rank without
  // packs. `greatest` is the maximum of greatest() over all of them, `units` their number.
  void merge(Communicator& comm, double greatest, int64_t units, int64_t items);

 private:
  static constexpr int64_t kHeldOnDevice = int64_t{1} << 30;
  torch::Tensor& gradient_;
  bool has_pack_ = false;
  std::vector<torch::Tensor> held_;
};

// The exponent s of the scale 2^s.
int fixed_point_exponent(double greatest, int64_t units);

// Elements of a piece.
int64_t merge_piece(torch::Device device, int ranks);

}  // namespace leco
