#include "io/finite_check.h"

#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <thread>
#include <vector>

#include "core/error.h"

namespace leco {
namespace {

// In IEEE's formats, and in bfloat16, an element is infinite or no number where all bits of its exponent are
// set. A block's length is a constant and nothing in it branches, so the compiler compares many at once: the
// check is then as fast as the memory, without these two four times slower.
template <class Bits, Bits kExponent>
bool is_finite_run(const Bits* bits, int64_t count) {
  constexpr int64_t kBlock = 4096;
  const auto is_bad = [](Bits element) { return static_cast<Bits>((element & kExponent) == kExponent); };
  int64_t begin = 0;
  for (; count - begin >= kBlock; begin += kBlock) {
    Bits found = 0;
    for (int64_t i = 0; i < kBlock; ++i) found |= is_bad(bits[begin + i]);
    if (found != 0) return false;
  }
  return std::none_of(bits + begin, bits + count, is_bad);
}

// Threads of our own: at::parallel_for is a plain loop in code that is compiled without OpenMP, and linking a
// second OpenMP beside torch's doubles its threads.
template <class Bits, Bits kExponent>
bool is_finite_all(const torch::Tensor& weights) {
  constexpr int64_t kLeastForAThread = int64_t{1} << 20;
  const auto* bits = static_cast<const Bits*>(weights.const_data_ptr());
  const int64_t count = weights.numel();
  const int64_t threads = std::clamp<int64_t>(count / kLeastForAThread, 1, at::get_num_threads());
  std::atomic<bool> finite = true;
  const auto check = [&](int64_t thread) {
    const int64_t begin = count * thread / threads, end = count * (thread + 1) / threads;
    if (!is_finite_run<Bits, kExponent>(bits + begin, end - begin)) finite = false;
  };
  std::vector<std::jthread> others;
  for (int64_t thread = 1; thread < threads; ++thread) others.emplace_back(check, thread);
  check(0);
  others.clear();
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
