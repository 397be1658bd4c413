#include "lora/module_names.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace leco {
namespace {

UNetConfig config_of(Family family) {
  UNetConfig config;
  config.up_attends =
      family == Family::kSdxl ? std::vector{true, true, false} : std::vector{false, true, true, true};
  config.use_linear_projection = family != Family::kSd1;
  if (family == Family::kSdxl) config.added_embedding.emplace();
  return config;
}

TEST(LoraModuleNames, OfSdxlAreThoseOfSdScriptsForAll722Modules) {
  std::ifstream golden(LECO_TEST_DATA "/golden/sdxl_modules.txt");
  int modules = 0;
  for (std::string line; std::getline(golden, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream columns(line);
    std::string layer, key;
    columns >> layer >> key;
    EXPECT_EQ(lora_file_name(layer, config_of(Family::kSdxl)), key);
    ++modules;
  }
  EXPECT_EQ(modules, 722);
}

TEST(LoraModuleNames, OfOtherFamiliesKeepTheSpellingOfDiffusers) {
  for (const Family family : {Family::kSd1, Family::kSd2})
    EXPECT_EQ(
        lora_file_name("up_blocks.1.attentions.2.transformer_blocks.0.attn1.to_out.0", config_of(family)),
        "lora_unet_up_blocks_1_attentions_2_transformer_blocks_0_attn1_to_out_0");
}

}  // namespace
}  // namespace leco
