// A model that is used for one training after another gives each the bits of a fresh model.
#include "model/frozen_conv.h"

#include <gtest/gtest.h>

namespace leco {
namespace {

torch::Tensor picture(int64_t samples, int64_t channels, int64_t side) {
  const torch::Tensor numbers = at::arange(samples * channels * side * side, torch::kFloat32);
  return numbers.mul(0.37)
      .sin()
      .view({samples, channels, side, side})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

TEST(FrozenConv, ForgetsTheLayoutThatAnotherPictureChose) {
  const torch::NoGradGuard no_gradient;
  const int64_t channels = 96;
  const torch::Tensor weight = at::arange(channels * channels * 9, torch::kFloat32)
                                   .mul(0.11)
                                   .cos()
                                   .mul(0.05)
                                   .view({channels, channels, 3, 3});
  for (const int64_t side : {4, 16, 64}) {
    const torch::Tensor x = picture(2, channels, side);
    const torch::Tensor expected = FrozenConv2d(weight, std::nullopt)(x);
    const FrozenConv2d used(weight, std::nullopt);
    for (const int64_t other : {64, 8, 32, 4}) used(picture(1, channels, other));
    used.forget_layout();
    EXPECT_TRUE(used(x).equal(expected)) << side;
    used.forget_layout();
    used.forget_layout();
    EXPECT_TRUE(used(x).equal(expected)) << side;
    const FrozenConv2d fresh(weight, std::nullopt);
    fresh(x);  // as training does, before a gradient is asked for
    EXPECT_TRUE(used.input_gradient(expected, x.sizes()).equal(fresh.input_gradient(expected, x.sizes())))
        << side;
  }
}

}  // namespace
}  // namespace leco
