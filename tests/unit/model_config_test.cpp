// Configurations that lie or were written to do harm are refused before anything is built from them.
#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "diffusion/noise_schedule.h"
#include "model/unet_config.h"
#include "model/vae_config.h"
#include "tests/support/refusal.h"
#include "text/clip_config.h"

namespace leco {
namespace {

using nlohmann::json;

enum class Part { kUNet, kVae, kClip, kScheduler };

json toy_config(const std::string& file) {
  return json::parse(std::ifstream(std::string(LECO_TEST_DATA "/toy-sd/") + file));
}

// The message of the refusal; empty when it is read.
std::string refusal(Part part, const std::string& text) {
  return testing::refusal_of("config.json", [&] {
    switch (part) {
      case Part::kUNet:
        parse_unet_config(text, "config.json");
        break;
      case Part::kVae:
        parse_vae_config(text, "config.json");
        break;
      case Part::kClip:
        parse_clip_text_config(text, "config.json");
        break;
      case Part::kScheduler:
        parse_scheduler_config(text, "config.json");
    }
  });
}

std::string refusal_with(Part part, const std::string& file, const std::string& key, const json& value) {
  json config = toy_config(file);
  config[key] = value;
  return refusal(part, config.dump());
}

TEST(ModelConfig, of_the_toy_is_read) {
  EXPECT_EQ(refusal(Part::kUNet, toy_config("unet/config.json").dump()), "");
  EXPECT_EQ(refusal(Part::kVae, toy_config("vae/config.json").dump()), "");
  EXPECT_EQ(refusal(Part::kClip, toy_config("text_encoder/config.json").dump()), "");
  EXPECT_EQ(refusal(Part::kScheduler, toy_config("scheduler/scheduler_config.json").dump()), "");
}

TEST(ModelConfig, takes_whole_numbers_of_a_models_size_only) {
  for (const char* key : {"in_channels", "layers_per_block", "cross_attention_dim", "norm_num_groups",
                          "attention_head_dim", "block_out_channels", "transformer_layers_per_block"}) {
    for (const json& value : {json(4.5), json(-1), json(0), json(1000000000000), json(1ULL << 63), json("4"),
                              json(json::array()), json({32.5, 64, 64, 64}), json({1e300, 64, 64, 64})}) {
      EXPECT_NE(refusal_with(Part::kUNet, "unet/config.json", key, value).find(key), std::string::npos)
          << key << " " << value;
    }
  }
  for (const char* key : {"layers_per_block", "norm_num_groups", "block_out_channels", "sample_size"}) {
    for (const json& value : {json(4.5), json(-1), json(1000000000000), json(1ULL << 63)})
      EXPECT_NE(refusal_with(Part::kVae, "vae/config.json", key, value), "") << key << " " << value;
  }
  EXPECT_NE(refusal_with(Part::kClip, "text_encoder/config.json", "num_hidden_layers", 1'000'000), "");
  EXPECT_NE(refusal_with(Part::kClip, "text_encoder/config.json", "eos_token_id", 1ULL << 63), "");
}

TEST(ModelConfig, of_any_depth_is_refused_in_one_short_line) {
  const std::string deep = std::string(300'000, '[') + std::string(300'000, ']');
  const std::string wide = json(std::vector<int>(100'000, 7)).dump();
  for (const Part part : {Part::kUNet, Part::kVae, Part::kClip, Part::kScheduler}) {
    EXPECT_NE(refusal(part, "{\"act_fn\": " + deep + "}").find("nested deeper"), std::string::npos);
  }
  EXPECT_LT(refusal(Part::kUNet, "{\"act_fn\": " + wide + "}").size(), 400U);
  EXPECT_LT(refusal(Part::kScheduler, "{\"beta_start\": " + wide + "}").size(), 400U);
  EXPECT_NE(refusal(Part::kUNet, "[]"), "");
  EXPECT_NE(refusal(Part::kUNet, "{\"a\": 1"), "");
}

}  // namespace
}  // namespace leco
