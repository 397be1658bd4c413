#include "io/finite_check.h"

#include <ATen/Parallel.h>

#include <atomic>
#include <cstdint>

#include "core/error.h"

namespace leco {
namespace {

// In IEEE's formats, and in bfloat16, an element is infinite or no number where all bits of its exponent are
// set. Without a branch inside a block the compiler compares many elements at once.
template <class Bits, Bits kExponent>
bool is_finite_run(const Bits* bits, int64_t count) {
  constexpr int64_t kBlock = 4096;
  for (int64_t begin = 0; begin < count; begin += kBlock) {
    const int64_t end = std::min(begin + kBlock, count);
    Bits found = 0;
    for (int64_t i = begin; i < end; ++i) found |= static_cast<Bits>((bits[i] & kExponent) == kExponent);
    if (found != 0) return false;
  }
  return true;
}

template <class Bits, Bits kExponent>
bool is_finite_all(const torch::Tensor& weights) {
  constexpr int64_t kGrain = int64_t{1} << 20;
  const auto* bits = static_cast<const Bits*>(weights.const_data_ptr());
  std::atomic<bool> finite = true;
  at::parallel_for(0, weights.numel(), kGrain, [&](int64_t begin, int64_t end) {
    if (!is_finite_run<Bits, kExponent>(bits + begin, end - begin)) finite = false;
  });
  return finite;
}

}  // namespace

bool is_weight_type(torch::ScalarType type) {
  return type == torch::kFloat16 || type == torch::kBFloat16 || type == torch::kFloat32 ||
         type == torch::kFloat64;
}

bool is_all_finite(const torch::Tensor& weights) {
  LECO_ASSERT(weights.is_cpu() && weights.is_contiguous());
  switch (weights.scalar_type()) {
    case torch::kFloat16:
      return is_finite_all<uint16_t, 0x7c00>(weights);
    case torch::kBFloat16:
      return is_finite_all<uint16_t, 0x7f80>(weights);
    case torch::kFloat32:
      return is_finite_all<uint32_t, 0x7f80'0000>(weights);
    case torch::kFloat64:
      return is_finite_all<uint64_t, 0x7ff0'0000'0000'0000>(weights);
    default:
      throw Error("internal: is_all_finite takes weight types only");
  }
}

}  // namespace leco
