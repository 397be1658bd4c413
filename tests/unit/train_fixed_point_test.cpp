// The merge's loops against the processor's own conversions, which they replace.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <cstdint>
#include <limits>
#include <random>
#include <vector>

#include "train/fixed_point.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kCount = 100'003;  // several threads' shares, and no multiple of a vector's width

std::vector<int64_t> numbers_of(const Tensor& integers) {
  return {integers.const_data_ptr<int64_t>(), integers.const_data_ptr<int64_t>() + integers.numel()};
}

// Of all sizes whose product with 2^scale stays below 2^62, of both signs, and ties.
Tensor values(int scale, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::uniform_real_distribution<float> mantissa(-1, 1);
  Tensor result = torch::empty({kCount});
  float* out = result.mutable_data_ptr<float>();
  for (int64_t i = 0; i < kCount; ++i) {
    const int exponent = static_cast<int>(i % 90) - 27 - scale;
    out[i] = i % 7 == 0 ? std::ldexp(static_cast<float>(i % 1001) - 500.5f, -scale)
                        : std::ldexp(mantissa(random), exponent);
    if (i % 90 == 89) out[i] = std::ldexp(std::copysign(0.9999999f, out[i]), 62 - scale);
  }
  return result;
}

class FixedPointLoops : public ::testing::TestWithParam<int> {};

INSTANTIATE_TEST_SUITE_P(Scales, FixedPointLoops, ::testing::Values(0, 20, 62, 120, -40));

TEST_P(FixedPointLoops, RoundAsLlrintDoes) {
  const double scale = std::ldexp(1.0, GetParam());
  const Tensor first = values(GetParam(), 1), second = values(GetParam(), 2) / 2;
  Tensor whole = torch::empty({kCount}, torch::kInt64);
  add_rounded(whole, first, scale, Into::kNew);
  const std::vector<int64_t> after_one = numbers_of(whole);
  add_rounded(whole, second, scale, Into::kSum);
  const std::vector<int64_t> after_two = numbers_of(whole);
  for (int64_t i = 0; i < kCount; ++i) {
    const int64_t one = std::llrint(static_cast<double>(first.const_data_ptr<float>()[i]) * scale);
    const int64_t other = std::llrint(static_cast<double>(second.const_data_ptr<float>()[i]) * scale);
    ASSERT_EQ(after_one[static_cast<size_t>(i)], one) << i;
    ASSERT_EQ(after_two[static_cast<size_t>(i)], one + other) << i;
  }
}

TEST_P(FixedPointLoops, ScaleAsTheProcessorDoes) {
  std::mt19937_64 random(3);
  Tensor whole = torch::empty({kCount}, torch::kInt64), mean = torch::empty({kCount});
  int64_t* numbers = whole.mutable_data_ptr<int64_t>();
  for (int64_t i = 0; i < kCount; ++i) numbers[i] = static_cast<int64_t>(random()) >> (i % 63);
  numbers[0] = std::numeric_limits<int64_t>::min();
  numbers[1] = std::numeric_limits<int64_t>::max();
  numbers[2] = 0;
  const double factor = std::ldexp(1.0 / 3.0, -GetParam());
  scale_into(mean, whole, factor);
  for (int64_t i = 0; i < kCount; ++i)
    ASSERT_EQ(mean.const_data_ptr<float>()[i], static_cast<float>(static_cast<double>(numbers[i]) * factor))
        << numbers[i];
}

TEST(GreatestMagnitude, IsThatOfEitherSignOrNotFinite) {
  Tensor gradient = values(0, 4);
  EXPECT_EQ(greatest_magnitude(gradient), gradient.abs().max().item<double>());
  EXPECT_EQ(greatest_magnitude(-gradient), gradient.abs().max().item<double>());
  EXPECT_EQ(greatest_magnitude(torch::zeros({3})), 0);
  for (const float odd : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                          std::nanf(""), -std::nanf("")}) {
    gradient[kCount - 1] = odd;
    EXPECT_FALSE(std::isfinite(greatest_magnitude(gradient))) << odd;
  }
}

}  // namespace
}  // namespace leco
