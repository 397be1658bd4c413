#include "io/weight_kind.h"

#include <gtest/gtest.h>

#include <vector>

namespace leco {
namespace {

TEST(RecogniseWeights, NamesTheWholeBeforeItsParts) {
  const std::vector<std::string> checkpoint = {"first_stage_model.decoder.conv_in.weight",
                                               "model.diffusion_model.input_blocks.0.0.weight"};
  EXPECT_EQ(recognise_weights(checkpoint), "a whole model in one file (LDM names)");
}

TEST(RecogniseWeights, TellsOtherFamiliesApart) {
  const auto kind_of = [](const std::string& name) { return recognise_weights(std::vector{name}); };
  EXPECT_EQ(kind_of("model.diffusion_model.joint_blocks.0.x_block.attn.qkv.weight"),
            "a model of Stable Diffusion 3");
  EXPECT_EQ(kind_of("double_blocks.0.img_attn.qkv.weight"), "a model of the Flux kind");
  EXPECT_EQ(kind_of("model.diffusion_model.double_blocks.0.img_attn.qkv.weight"), "a model of the Flux kind");
  EXPECT_EQ(kind_of("lora_unet_down_blocks_0_attentions_0_proj_in.lora_down.weight"), "a LoRA");
  for (const auto& [leaf, kind] : {std::pair{"hada_w1_a", "a LoHa (LyCORIS)"},
                                   {"lokr_w1", "a LoKr (LyCORIS)"},
                                   {"dora_scale", "a DoRA"}})
    EXPECT_EQ(kind_of(std::string("lora_unet_down_blocks_0_attentions_0_proj_in.") + leaf), kind);
  EXPECT_EQ(kind_of("decoder.conv_in.weight"), "a VAE");
  EXPECT_EQ(kind_of("input_blocks.0.0.weight"), "a U-Net alone (LDM names)");
}

TEST(RecogniseWeights, SaysNothingOfWhatItDoesNotKnow) {
  EXPECT_EQ(recognise_weights({}), "");
  EXPECT_EQ(recognise_weights(std::vector<std::string>{"something.weight", "my_clip_l"}), "");
}

}  // namespace
}  // namespace leco
