// Whole training steps with --network_args must be those of the reference trainer (lora_steps.json, made by
// make_lora_golden.py), with any number of items in a U-Net call.
#include <fmt/format.h>

#include "core/error.h"
#include "pipeline/base_model.h"
#include "tests/support/golden_steps.h"

namespace leco {
namespace {

using nlohmann::json;

const std::vector<std::string> kPrompts = {"",       "a big red circle", "a red circle",
                                           "circle", "a big circle",     "a small circle"};

const json& golden() {
  static const json parsed = golden_json("lora_steps.json");
  return parsed;
}

class NetworkArgsSteps : public testing::TestWithParam<std::pair<std::string, std::string>> {
 protected:
  NetworkArgsSteps()
      : model_(open_base_model(files_, LECO_TEST_DATA "/" + GetParam().first)), unet_(model_->load_unet({})) {
    TextSettings text;
    if (model_->family() == Family::kSdxl) text.kind = TextSettings::Kind::kSdxl;
    embeddings_ = encode_prompts(model_->open_text_encoders(), text, kPrompts, torch::kCPU);
  }
  const json& variants() const { return golden()[GetParam().second]; }
  Training train(TrainSettings settings, int64_t items_per_pass) {
    settings.items_per_pass = items_per_pass;
    return leco::train({*unet_, embeddings_, model_->prediction()}, settings, pairs_of(golden()["pairs"]));
  }

  LocalFileSource files_;
  std::unique_ptr<BaseModel> model_;
  std::unique_ptr<UNet> unet_;
  PromptEmbeddings embeddings_;
};

TEST_P(NetworkArgsSteps, are_those_of_the_reference) {
  ASSERT_FALSE(variants().empty());
  for (const json& variant : variants()) {
    const TrainSettings settings = settings_of(golden()["settings"], variant["settings"]);
    const Training run = train(settings, 1);
    EXPECT_EQ(run.weights.numel(), variant["weights"]) << variant["name"];
    expect_variant(variant["name"], run, variant);
  }
}

// Items of one pack have masks, and on the time embedding rows, of their own.
TEST_P(NetworkArgsSteps, are_the_same_in_packs) {
  json changes = variants()[0]["settings"];
  changes["network_args"].update({{"rank_dropout", 0.2}, {"module_dropout", 0.2}});
  changes.update({{"network_dropout", 0.1}, {"pairs_per_step", 4}});
  const TrainSettings settings = settings_of(golden()["settings"], changes);
  const Training alone = train(settings, 1), packed = train(settings, 2);
  expect_numbers("convolutions, packs of 2: losses", losses_of(packed), losses_of(alone), kVariant.number);
  expect_numbers("convolutions, packs of 2: gradient norms", norms_of(packed), norms_of(alone),
                 kVariant.number);
  EXPECT_TRUE(is_near("convolutions, packs of 2: lora_up", packed.up(), alone.up(), kVariant.lora));
  EXPECT_TRUE(is_near("convolutions, packs of 2: lora_down", packed.down(), alone.down(), kVariant.lora));
}

INSTANTIATE_TEST_SUITE_P(Models, NetworkArgsSteps,
                         testing::Values(std::pair{"toy-sd", "variants"},
                                         std::pair{"tiny-sdxl", "sdxl_variants"}),
                         [](const auto& test) { return test.param.second; });

}  // namespace
}  // namespace leco
