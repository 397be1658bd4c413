#include "train/gradient_merge.h"

#include <algorithm>
#include <bit>
#include <cmath>

#include "core/error.h"

namespace leco {

using torch::Tensor;

namespace {

// Calls act(begin, length) for stretches of the vector: on a CPU such that what is computed on the way stays
// in the cache, where each operation would else be a trip through memory.
template <class Act>
void for_pieces(const Tensor& vector, Act act) {
  constexpr int64_t kInCache = 1 << 14;
  const int64_t most = vector.is_cpu() ? kInCache : std::max<int64_t>(vector.numel(), 1);
  for (int64_t begin = 0; begin < vector.numel(); begin += most)
    act(begin, std::min(most, vector.numel() - begin));
}

}  // namespace

double GradientMerge::hold(const Tensor& gradient) {
  const int64_t bytes = static_cast<int64_t>(held_.size() + 1) * gradient.numel() * 4;
  const bool to_host = gradient.is_cuda() && bytes > kHeldOnDevice;
  held_.push_back(to_host ? gradient.cpu() : gradient.clone());
  const auto [least, greatest] = gradient.aminmax();  // both are NaN where an element is
  return at::maximum(-least, greatest).item<double>();
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
  Tensor sum = at::empty_like(like, torch::kInt64);
  for_pieces(like, [&](int64_t begin, int64_t length) {
    Tensor piece = sum.narrow(0, begin, length);
    if (held_.empty()) piece.zero_();
    for (size_t i = 0; i < held_.size(); ++i) {
      const Tensor scaled = held_[i].narrow(0, begin, length).to(like.device(), torch::kFloat64);
      const Tensor whole = scaled.mul(std::ldexp(1.0, exponent)).round_().to(torch::kInt64);
      i == 0 ? piece.copy_(whole) : piece.add_(whole);
    }
  });
  held_.clear();
  comm.all_reduce(sum, Reduce::kSum);
  Tensor mean = at::empty_like(like);
  const double divisor = std::ldexp(static_cast<double>(items), exponent);
  for_pieces(like, [&](int64_t begin, int64_t length) {
    mean.narrow(0, begin, length).copy_(sum.narrow(0, begin, length).to(torch::kFloat64).div_(divisor));
  });
  return mean;
}

}  // namespace leco
