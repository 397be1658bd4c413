#include "train/fixed_point.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <bit>
#include <cstdint>

#include "core/error.h"

// A loop that is compiled for processors with and without AVX2 and FMA, which have the same results: its
// products by powers of two are exact, and the rest is rounded once.
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(__SANITIZE_ADDRESS__)
#define LECO_WIDE_LOOP __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define LECO_WIDE_LOOP
#endif

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kGrain = 1 << 15;  // elements that are worth a thread

// Before AVX-512 there are no vector instructions between double and 64-bit integers. But adding 1.5·2^52 to
// a double below 2^51 leaves its integer, to nearest and ties to even, in the last bits; and a double is put
// together from the halves of an integer as from digits.
constexpr double kUnitIsLastBit = 0x1.8p52;

int64_t nearest(double value) {
  constexpr auto kUnit = std::bit_cast<uint64_t>(kUnitIsLastBit);
  const double upper = value * 0x1p-32 + kUnitIsLastBit;
  const double lower = (value - (upper - kUnitIsLastBit) * 0x1p32) + kUnitIsLastBit;
  return static_cast<int64_t>((std::bit_cast<uint64_t>(upper) << 32) + std::bit_cast<uint64_t>(lower) -
                              ((kUnit << 32) + kUnit));
}

double to_double(int64_t value) {
  const auto bits = static_cast<uint64_t>(value);
  const auto lower = std::bit_cast<double>((bits & 0xffffffffu) | std::bit_cast<uint64_t>(0x1p52));
  const auto upper = std::bit_cast<double>((bits >> 32) ^ std::bit_cast<uint64_t>(0x1p84 + 0x1p63));
  return (upper - (0x1p84 + 0x1p63 + 0x1p52)) + lower;  // only the last sum is rounded
}

// Bits of |value|: they order as the values do, and infinities and NaN lie above all of them.
int32_t magnitude(float value) {
  return std::bit_cast<int32_t>(value) & 0x7fffffff;
}

LECO_WIDE_LOOP int32_t greatest_of(const float* values, int64_t count, int32_t greatest) {
  for (int64_t i = 0; i < count; ++i) greatest = std::max(greatest, magnitude(values[i]));
  return greatest;
}

LECO_WIDE_LOOP void round_all(int64_t* whole, const float* values, double scale, int64_t count) {
  for (int64_t i = 0; i < count; ++i) whole[i] = nearest(static_cast<double>(values[i]) * scale);
}

LECO_WIDE_LOOP void add_all(int64_t* whole, const float* values, double scale, int64_t count) {
  for (int64_t i = 0; i < count; ++i) whole[i] += nearest(static_cast<double>(values[i]) * scale);
}

LECO_WIDE_LOOP void scale_all(float* mean, const int64_t* whole, double factor, int64_t count) {
  for (int64_t i = 0; i < count; ++i) mean[i] = static_cast<float>(to_double(whole[i]) * factor);
}

}  // namespace

double greatest_magnitude(const Tensor& gradient) {
  if (!gradient.is_cpu()) {
    const auto [least, greatest] = gradient.aminmax();  // both are NaN where an element is
    return at::maximum(-least, greatest).item<double>();
  }
  LECO_ASSERT(gradient.is_contiguous());
  const float* values = gradient.const_data_ptr<float>();
  const int32_t greatest = at::parallel_reduce(
      0, gradient.numel(), kGrain, int32_t{0},
      [=](int64_t begin, int64_t end, int32_t so_far) {
        return greatest_of(values + begin, end - begin, so_far);
      },
      [](int32_t a, int32_t b) { return std::max(a, b); });
  return std::bit_cast<float>(greatest);
}

void add_rounded(Tensor& whole, const Tensor& gradient, double scale, Into into) {
  if (!whole.is_cpu()) {
    const Tensor rounded = (gradient.to(whole.device(), torch::kFloat64) * scale).round_().to(torch::kInt64);
    into == Into::kSum ? whole.add_(rounded) : whole.copy_(rounded);
    return;
  }
  int64_t* to = whole.mutable_data_ptr<int64_t>();
  const float* from = gradient.const_data_ptr<float>();
  at::parallel_for(0, whole.numel(), kGrain, [=](int64_t begin, int64_t end) {
    (into == Into::kSum ? add_all : round_all)(to + begin, from + begin, scale, end - begin);
  });
}

void scale_into(Tensor& mean, const Tensor& whole, double factor) {
  if (!whole.is_cpu()) {
    mean.copy_(whole.to(torch::kFloat64).mul_(factor));
    return;
  }
  const int64_t* from = whole.const_data_ptr<int64_t>();
  float* to = mean.mutable_data_ptr<float>();
  at::parallel_for(0, whole.numel(), kGrain, [=](int64_t begin, int64_t end) {
    scale_all(to + begin, from + begin, factor, end - begin);
  });
}

}  // namespace leco
