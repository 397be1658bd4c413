#include "train/gradient_merge.h"

#include <bit>
#include <cmath>

#include "core/error.h"

namespace leco {

using torch::Tensor;

double GradientMerge::hold(const Tensor& gradient) {
  const int64_t bytes = static_cast<int64_t>(held_.size() + 1) * gradient.numel() * 4;
  const bool to_host = gradient.is_cuda() && bytes > kHeldOnDevice;
  held_.push_back(to_host ? gradient.cpu() : gradient.clone());
  return gradient.abs().max().item<double>();
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
  Tensor sum = at::zeros_like(like, torch::kInt64);
  for (const Tensor& gradient : held_)
    sum.add_(
        (gradient.to(like.device(), torch::kFloat64) * std::ldexp(1.0, exponent)).round_().to(torch::kInt64));
  held_.clear();
  comm.all_reduce(sum, Reduce::kSum);
  return sum.to(torch::kFloat64).div_(std::ldexp(static_cast<double>(items), exponent)).to(torch::kFloat32);
}

}  // namespace leco
