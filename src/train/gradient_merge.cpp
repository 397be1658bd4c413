#include "train/gradient_merge.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"
#include "plan/traffic.h"
#include "train/fixed_point.h"

namespace leco {

using torch::Tensor;

void GradientMerge::next_pack() {
  if (has_pack_) {
    const auto bytes = static_cast<int64_t>((held_.size() + 1) * gradient_.nbytes());
    held_.push_back(gradient_.is_cuda() && bytes > kHeldOnDevice ? gradient_.cpu() : gradient_.clone());
  }
  gradient_.zero_();
  has_pack_ = true;
}

double GradientMerge::greatest() const {
  return greatest_magnitude(gradient_);
}

int fixed_point_exponent(double greatest, int64_t units) {
  int exponent = 0;
  std::frexp(greatest, &exponent);  // greatest < 2^exponent
  const int headroom = std::bit_width(static_cast<uint64_t>(units - 1));
  return 62 - exponent - headroom;
}

// On a CPU as much as its second cache holds. MPI and NCCL deal a message out to the ranks, and a rank's part
// of it should not be so small that it takes as long as an empty one.
int64_t merge_piece(torch::Device device, int ranks) {
  constexpr int64_t kOnCpu = 1 << 17, kOfRank = 1 << 13;
  return std::max(device.is_cpu() ? kOnCpu : kGpuMergePiece, kOfRank * ranks);
}

void GradientMerge::merge(Communicator& comm, double greatest, int64_t units, int64_t items) {
  LECO_ASSERT(std::isfinite(greatest));
  if (!has_pack_) gradient_.zero_();
  const int exponent = greatest == 0 ? 0 : fixed_point_exponent(greatest, units);
  const double scale = std::ldexp(1.0, exponent),
               share = std::ldexp(1.0 / static_cast<double>(items), -exponent);
  const int64_t length = gradient_.numel();
  const int64_t piece = std::min(length, merge_piece(gradient_.device(), comm.size()));
  const Tensor integers = at::empty({piece}, gradient_.options().dtype(torch::kInt64));
  for (int64_t first = 0; first < length; first += piece) {
    const int64_t count = std::min(piece, length - first);
    Tensor sum = integers.narrow(0, 0, count), mean = gradient_.narrow(0, first, count);
    add_rounded(sum, mean, scale, Into::kNew);
    for (const Tensor& held : held_) add_rounded(sum, held.narrow(0, first, count), scale, Into::kSum);
    comm.all_reduce(sum, Reduce::kSum);
    scale_into(mean, sum, share);
  }
  held_.clear();
  has_pack_ = false;
}

}  // namespace leco
