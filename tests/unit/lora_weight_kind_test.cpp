#include "lora/weight_kind.h"

#include <gtest/gtest.h>

#include <vector>

namespace leco {
namespace {

TEST(RecogniseWeights, NamesTheWholeBeforeItsParts) {
  const std::vector<std::string> checkpoint = {"first_stage_model.decoder.conv_in.weight",
                                               "model.diffusion_model.input_blocks.0.0.weight"};
  EXPECT_EQ(recognise_weights(checkpoint), "a whole model in one file (LDM names)");
}

TEST(RecogniseWeights, SaysNothingOfWhatItDoesNotKnow) {
  EXPECT_EQ(recognise_weights({}), "");
  EXPECT_EQ(recognise_weights(std::vector<std::string>{"something.weight", "my_clip_l"}), "");
}

}  // namespace
}  // namespace leco
