#include "train/fixed_point.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "core/error.h"

#ifdef __SSE2__
#include <emmintrin.h>
#endif

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kGrain = 1 << 15;  // elements that are worth a thread

// To nearest, ties to even; compilers call a function for std::llrint, because it may report an error.
#ifdef __SSE2__
int64_t nearest(double value) {
  return _mm_cvtsd_si64(_mm_set_sd(value));
}
#else
int64_t nearest(double value) {
  return std::llrint(value);
}
#endif

// Bits of |value|: they order as the values do, and infinities and NaN lie above all of them.
uint32_t magnitude(float value) {
  return std::bit_cast<uint32_t>(value) & 0x7fffffffu;
}

template <Into kInto>
void add_rounded_on_cpu(int64_t* whole, const float* gradient, double scale, int64_t count) {
  at::parallel_for(0, count, kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      const int64_t rounded = nearest(static_cast<double>(gradient[i]) * scale);
      whole[i] = kInto == Into::kSum ? whole[i] + rounded : rounded;
    }
  });
}

}  // namespace

std::pair<Tensor, double> copy_with_greatest(const Tensor& gradient) {
  if (!gradient.is_cpu()) {
    const auto [least, greatest] = gradient.aminmax();  // both are NaN where an element is
    return {gradient.clone(), at::maximum(-least, greatest).item<double>()};
  }
  LECO_ASSERT(gradient.is_contiguous());
  Tensor copy = at::empty_like(gradient);
  const float* from = gradient.const_data_ptr<float>();
  float* to = copy.mutable_data_ptr<float>();
  const auto copy_part = [=](int64_t begin, int64_t end, uint32_t greatest) {
    for (int64_t i = begin; i < end; ++i) {
      to[i] = from[i];
      greatest = std::max(greatest, magnitude(from[i]));
    }
    return greatest;
  };
  const uint32_t greatest = at::parallel_reduce(0, gradient.numel(), kGrain, uint32_t{0}, copy_part,
                                                [](uint32_t a, uint32_t b) { return std::max(a, b); });
  return {copy, std::bit_cast<float>(greatest)};
}

void add_rounded(Tensor& whole, const Tensor& gradient, double scale, Into into) {
  if (!whole.is_cpu()) {
    const Tensor rounded = (gradient.to(whole.device(), torch::kFloat64) * scale).round_().to(torch::kInt64);
    into == Into::kSum ? whole.add_(rounded) : whole.copy_(rounded);
    return;
  }
  int64_t* to = whole.mutable_data_ptr<int64_t>();
  const float* from = gradient.const_data_ptr<float>();
  if (into == Into::kSum)
    add_rounded_on_cpu<Into::kSum>(to, from, scale, whole.numel());
  else
    add_rounded_on_cpu<Into::kNew>(to, from, scale, whole.numel());
}

Tensor quotient(const Tensor& whole, double divisor) {
  if (!whole.is_cpu()) return whole.to(torch::kFloat64).div_(divisor).to(torch::kFloat32);
  Tensor result = at::empty(whole.sizes(), whole.options().dtype(torch::kFloat32));
  const int64_t* from = whole.const_data_ptr<int64_t>();
  float* to = result.mutable_data_ptr<float>();
  at::parallel_for(0, whole.numel(), kGrain, [=](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) to[i] = static_cast<float>(static_cast<double>(from[i]) / divisor);
  });
  return result;
}

}  // namespace leco
