// The exact merge: the mean of all items' gradients, in the same bits however the items were spread over
// ranks.
//
// Floating-point sums depend on their order. So every pack's gradient is turned into 64-bit integers under
// one power of two that all ranks share; integers add to the same sum in any order. With U units, |g| < 2^e
// and 2^h ≥ U, the scale is 2^(62 − e − h): no sum can overflow, and what is lost lies 2^(h − 62) below the
// greatest gradient. (The idea: Demmel & Nguyen's pre-rounding; AMBER's SPFP, 10.1016/j.cpc.2012.09.022.)
#pragma once

#include <vector>

#include "comm/communicator.h"

namespace leco {

class GradientMerge {
 public:
  // Keeps a copy until the scale is known. (n), float32. Beyond kHeldOnDevice bytes copies go to host memory.
  // Returns max |g|, which is not finite when an element is not.
  double hold(const torch::Tensor& gradient);

  // (1/items)·Σ over all ranks of what they hold, (n) float32 like `like`; forgets what it held. Collective.
  // `greatest` is the maximum of hold() over all ranks, `units` the number of gradients held on all ranks
  // together.
  torch::Tensor merge(Communicator& comm, const torch::Tensor& like, double greatest, int64_t units,
                      int64_t items);

 private:
  static constexpr int64_t kHeldOnDevice = int64_t{1} << 30;
  std::vector<torch::Tensor> held_;
};

// The exponent s of the scale 2^s.
int fixed_point_exponent(double greatest, int64_t units);

}  // namespace leco
