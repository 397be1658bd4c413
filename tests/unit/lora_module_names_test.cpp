#include "lora/module_names.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

namespace leco {
namespace {

TEST(LoraModuleNames, OfSdxlAreThoseOfSdScriptsForAll722Modules) {
  std::ifstream golden(LECO_TEST_DATA "/golden/sdxl_modules.txt");
  int modules = 0;
  for (std::string line; std::getline(golden, line);) {
    if (line.empty() || line[0] == '#') continue;
    std::istringstream columns(line);
    std::string layer, key;
    columns >> layer >> key;
    EXPECT_EQ(lora_file_name(layer, Family::kSdxl, 2), key);
    ++modules;
  }
  EXPECT_EQ(modules, 722);
}

TEST(LoraModuleNames, OfOtherFamiliesKeepTheSpellingOfDiffusers) {
  for (const Family family : {Family::kSd1, Family::kSd2})
    EXPECT_EQ(lora_file_name("up_blocks.1.attentions.2.transformer_blocks.0.attn1.to_out.0", family, 2),
              "lora_unet_up_blocks_1_attentions_2_transformer_blocks_0_attn1_to_out_0");
}

}  // namespace
}  // namespace leco
