// Which layers get a module, with which rank, alpha and rate.
#include "lora/layer_choice.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "lora/module_names.h"
#include "tests/support/refusal.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

std::unique_ptr<UNet> outline_of_unet(const std::string& model) {
  LocalFileSource files;
  return open_base_model(files, std::string(LECO_TEST_DATA "/") + model)->load_unet({.device = torch::kMeta});
}

// Places, names, keys and blocks of the layers that conv_dim adds to the published models, by
// make_lora_golden.py from diffusers' modules and sd-scripts' rules.
TEST(LayerChoice, convolutions_stand_where_diffusers_and_sd_scripts_have_them) {
  const std::map<std::string, std::unique_ptr<UNet>> unets = [] {
    std::map<std::string, std::unique_ptr<UNet>> made;
    made.emplace("sd1", outline_of_unet("toy-sd"));
    made.emplace("sdxl", outline_of_unet("tiny-sdxl"));
    return made;
  }();
  std::ifstream golden(LECO_TEST_DATA "/golden/lora_layers.txt");
  int compared = 0;
  for (std::string line; std::getline(golden, line);) {
    if (line.starts_with('#')) continue;
    std::istringstream columns(line);
    std::string family, layer, key;
    int64_t place = 0, block = 0;
    columns >> family >> place >> layer >> key >> block;
    const UNetConfig& config = unets.at(family)->config();
    EXPECT_EQ(lora_file_name(layer, config), key);
    EXPECT_EQ(block_index(layer, config), block) << layer;
    ++compared;
  }
  EXPECT_EQ(compared, 86 + 16 + 66 + 11);
}

size_t chosen_on(UNet& unet, const NetworkArgs& args) {
  return choose_layers(unet, {.args = args}).size();
}

TEST(LayerChoice, train_methods_take_as_many_layers_as_the_specification_says) {
  for (const char* model : {"toy-sd", "tiny-sd2v"}) {
    const auto unet = outline_of_unet(model);
    EXPECT_EQ(chosen_on(*unet, {}), 192u);
    EXPECT_EQ(chosen_on(*unet, {.train_method = TrainMethod::kXattn}), 64u);
    EXPECT_EQ(chosen_on(*unet, {.train_method = TrainMethod::kXattnStrict}), 48u);
    EXPECT_EQ(chosen_on(*unet, {.train_method = TrainMethod::kSelfattn}), 64u);
    EXPECT_EQ(chosen_on(*unet, {.train_method = TrainMethod::kNoxattn}), 128u);
  }
  // 28 transformer blocks of ten layers, 11 transformers with two more
  const auto sdxl = outline_of_unet("tiny-sdxl");
  EXPECT_EQ(chosen_on(*sdxl, {}), 302u);
  EXPECT_EQ(chosen_on(*sdxl, {.train_method = TrainMethod::kXattn}), 112u);
  EXPECT_EQ(chosen_on(*sdxl, {.train_method = TrainMethod::kXattnStrict}), 84u);
  EXPECT_EQ(chosen_on(*sdxl, {.train_method = TrainMethod::kSelfattn}), 112u);
  EXPECT_EQ(chosen_on(*sdxl, {.train_method = TrainMethod::kNoxattn}), 190u);
}

TEST(LayerChoice, ranks_and_alphas_are_those_of_kind_and_block) {
  const auto unet = outline_of_unet("toy-sd");
  NetworkArgs args;
  for (int64_t block = 0; block < 25; ++block) {
    args.block_dims.push_back(block);
    args.conv_block_dims.push_back(100 + block);
    args.conv_block_alphas.push_back(0.5 * static_cast<double>(block));
  }
  size_t wide = 0;
  for (const ChosenLayer& chosen : choose_layers(*unet, {.rank = 4, .alpha = 0, .args = args})) {
    const int64_t block = block_index(chosen.layer->name(), unet->config());
    if (chosen.layer->shape().kernel > 1) {
      EXPECT_EQ(chosen.rank, 100 + block) << chosen.layer->name();
      EXPECT_EQ(chosen.alpha, 0.5 * static_cast<double>(block));
      ++wide;
    } else {
      EXPECT_EQ(chosen.rank, block) << chosen.layer->name();
      EXPECT_EQ(chosen.alpha, static_cast<double>(block)) << "alpha 0 is the rank";
    }
  }
  EXPECT_EQ(wide, 50u);  // two in each of 22 resnets, six samplers
}

TEST(LayerChoice, rates_are_those_of_the_block_and_up_has_the_ratio_on_top) {
  const auto unet = outline_of_unet("toy-sd");
  NetworkArgs args{.down_lr_weight = {.preset = "cosine", .base = 0.25},
                   .mid_lr_weight = {.list = {0.5}},
                   .up_lr_weight = {.list = {0.1, 0.2, 0.3, 0.4, 0, 3}},
                   .block_lr_zero_threshold = 0.2,
                   .loraplus_lr_ratio = 16.0};
  std::map<int64_t, double> rates;
  for (const ChosenLayer& chosen : choose_layers(*unet, {.args = args})) {
    rates[block_index(chosen.layer->name(), unet->config())] = chosen.down_rate;
    EXPECT_DOUBLE_EQ(chosen.up_rate, 16 * chosen.down_rate);
  }
  EXPECT_NEAR(rates.at(1), std::sin(std::acos(-1) / 2 * 10 / 11) + 0.25, 1e-12);
  EXPECT_NEAR(rates.at(8), std::sin(std::acos(-1) / 2 * 3 / 11) + 0.25, 1e-12);
  EXPECT_EQ(rates.at(12), 0.5);
  // the first up block has no transformers; blocks 4 and 5 of the way up are the second's first two
  EXPECT_EQ(rates.at(13 + 3), 0.4);
  EXPECT_EQ(rates.count(13 + 4), 0u);
  EXPECT_EQ(rates.at(13 + 5), 3.0);
  EXPECT_EQ(rates.at(13 + 6), 1.0);
  EXPECT_EQ(block_weight_notices(args, Family::kSd1).size(), 1u);
}

TEST(LayerChoice, refuses_lists_of_another_family_and_what_leaves_nothing) {
  const auto sd = outline_of_unet("toy-sd"), sdxl = outline_of_unet("tiny-sdxl");
  const auto refusal = [](UNet& unet, const NetworkArgs& args) {
    return testing::refusal_of("", [&] { choose_layers(unet, {.args = args}); });
  };
  EXPECT_NE(refusal(*sd, {.block_dims = std::vector<int64_t>(23, 4)})
                .find("block_dims: 23 values were given, and SD 1.x has 25 blocks"),
            std::string::npos);
  EXPECT_NE(refusal(*sdxl, {.conv_block_dims = std::vector<int64_t>(25, 4)}).find("SDXL has 23 blocks"),
            std::string::npos);
  EXPECT_NE(refusal(*sdxl, {.up_lr_weight = {.list = std::vector<double>(12, 1.0)}})
                .find("up_lr_weight: 12 values were given, and SDXL has 9 such blocks"),
            std::string::npos);
  const std::string nothing = refusal(*sd, {.block_dims = std::vector<int64_t>(25, 0)});
  EXPECT_NE(nothing.find("no module to train"), std::string::npos);
  EXPECT_NE(nothing.find("proj_in, proj_out"), std::string::npos) << nothing;
}

}  // namespace
}  // namespace leco
