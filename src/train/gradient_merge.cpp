#include "train/gradient_merge.h"

#include <bit>
#include <cmath>

#include "core/error.h"
#include "train/fixed_point.h"

namespace leco {

using torch::Tensor;

double GradientMerge::hold(const Tensor& gradient) {
  const int64_t bytes = static_cast<int64_t>(held_.size() + 1) * gradient.numel() * 4;
  auto [copy, greatest] = copy_with_greatest(gradient);
  held_.push_back(gradient.is_cuda() && bytes > kHeldOnDevice ? copy.cpu() : copy);
  return greatest;
}

int fixed_point_exponent(double greatest, int64_t units) {
  int exponent = 0;
  std::frexp(greatest, &exponent);  // greatest < 2^exponent
  const int headroom = std::bit_width(static_cast<uint64_t>(units - 1));
  return 62 - exponent - headroom;
}

Tensor GradientMerge::merge(Communicator& comm, const Tensor& like, double greatest, int64_t units,
                            int64_t items) {
  LECO_ASSERT(std::isfinite(greatest));
  const int exponent = greatest == 0 ? 0 : fixed_point_exponent(greatest, units);
  const double scale = std::ldexp(1.0, exponent);
  Tensor sum = held_.empty() ? at::zeros_like(like, torch::kInt64) : at::empty_like(like, torch::kInt64);
  for (size_t i = 0; i < held_.size(); ++i)
    add_rounded(sum, held_[i], scale, i == 0 ? Into::kNew : Into::kSum);
  held_.clear();
  comm.all_reduce(sum, Reduce::kSum);
  return quotient(sum, std::ldexp(static_cast<double>(items), exponent));
}

}  // namespace leco
