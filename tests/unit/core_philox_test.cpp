#include "core/philox.h"

#include <gtest/gtest.h>

#include <cmath>
#include <vector>

namespace leco {
namespace {

using Counter = std::array<uint32_t, 4>;
using Key = std::array<uint32_t, 2>;

// Random123's kat_vectors, philox 4x32, 10 rounds.
TEST(Philox, GivesTheKnownAnswersOfRandom123) {
  EXPECT_EQ(philox4x32(Counter{0, 0, 0, 0}, Key{0, 0}),
            (Counter{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox4x32(Counter{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff}, Key{0xffffffff, 0xffffffff}),
            (Counter{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox4x32(Counter{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, Key{0xa4093822, 0x299f31d0}),
            (Counter{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Draws, PlaceTheUseInTheCounter) {
  const uint64_t seed = 0x299f31d0a4093822;
  const Draws draws(seed, {.purpose = Purpose::kSamplerNoise, .step = 11, .item = 3, .sub = 5});
  const auto block = philox4x32({2, 3, 11, 7 + 256 * 5}, {0xa4093822, 0x299f31d0});
  for (uint64_t word = 0; word < 4; ++word) EXPECT_EQ(draws.word(8 + word), block[word]);
}

TEST(Draws, IntegersCoverTheirRangeAndNothingElse) {
  const Draws draws(1, {.purpose = Purpose::kRolloutLength});
  std::vector<int> seen(7);
  for (uint64_t position = 0; position < 7000; ++position) ++seen.at(draws.integer(position, 7));
  for (const int count : seen) EXPECT_NEAR(count, 1000, 150);
}

TEST(Draws, NormalsFollowBoxMullerAndDoNotDependOnTheLength) {
  const Draws draws(42, {.purpose = Purpose::kInitialLatents, .step = 1, .item = 2});
  std::vector<float> few(3), many(1 << 16);
  draws.fill_normal(few);
  draws.fill_normal(many);
  for (size_t i = 0; i < few.size(); ++i) EXPECT_EQ(few[i], many[i]);
  const double radius = std::sqrt(-2 * std::log(draws.uniform(6))), angle = 2 * M_PI * draws.uniform(7);
  EXPECT_EQ(many[6], static_cast<float>(radius * std::cos(angle)));
  EXPECT_EQ(many[7], static_cast<float>(radius * std::sin(angle)));
  double sum = 0, squares = 0;
  for (const double z : many) sum += z, squares += z * z;
  EXPECT_NEAR(sum / many.size(), 0, 0.015);
  EXPECT_NEAR(squares / many.size(), 1, 0.03);
}

}  // namespace
}  // namespace leco
