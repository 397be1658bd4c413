// SD 2.x and SDXL: the U-Net and whole training steps must be what diffusers and the reference trainer
// compute (goldens of make_family_golden.py, from the tiny models of make_tiny_models.py).
#include <fmt/format.h>

#include "core/error.h"
#include "core/read_file.h"
#include "pipeline/base_model.h"
#include "tests/support/golden_steps.h"
#include "text/prompt_embeddings.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

constexpr double kTolerance = 1e-5;  // relative: float32 sums in another order

struct Tiny {
  explicit Tiny(const std::string& name, Placement placement = {})
      : model(open_base_model(files, LECO_TEST_DATA "/tiny-" + name)), unet(model->load_unet(placement)) {}
  LocalFileSource files;
  std::unique_ptr<BaseModel> model;
  std::unique_ptr<UNet> unet;
};

std::string config_of(const std::string& name) {
  return read_local_file(LECO_TEST_DATA "/tiny-" + name + "/unet/config.json");
}

// Row i of `n` timesteps with prompt i of `n`, out of those of all timesteps with all prompts.
TimeFeatures matching_rows(const TimeFeatures& features, int64_t n) {
  std::vector<TimeFeatures> rows;
  for (int64_t i = 0; i < n; ++i) rows.push_back(time_row(features, i * n + i));
  return join_rows(rows);
}

// The golden's call of `rows` samples; `kind` is "" or "odd_".
Tensor call(const UNet& unet, const Golden& golden, int64_t rows, const std::string& kind) {
  const torch::NoGradGuard no_gradient;
  const auto dtype = unet.placement().dtype;
  const Tensor text = golden["embeddings"].narrow(0, 0, rows).to(dtype);
  TimeFeatures time;
  if (unet.config().added_embedding) {
    const AddedConditioning added{golden["pooled"].narrow(0, 0, rows), golden["time_ids"].narrow(0, 0, rows)};
    time = matching_rows(unet.embed_time(golden[kind + "timesteps"], &added), rows);
  } else {
    time = unet.embed_time(golden[kind + "timesteps"]);
  }
  return unet(golden[kind + "latents"], time, unet.project_text(text, adapters_off()), adapters_off());
}

PromptEmbeddings embed(const Tiny& tiny) {
  using enum TextSettings::Kind;
  TextSettings settings;
  settings.kind = tiny.model->family() == Family::kSdxl ? kSdxl : kSd2;
  return encode_prompts(tiny.model->open_text_encoders(), settings,
                        {"", "a big red circle", "a red circle", "circle", "a big circle", "a small circle"},
                        torch::kCPU);
}

class TinyFamily : public testing::TestWithParam<std::string> {};

TEST_P(TinyFamily, predicts_a_batch_with_a_timestep_and_a_text_for_each_sample) {
  const Golden golden(GetParam() + "_unet.safetensors");
  EXPECT_TRUE(is_near(GetParam() + ": output, batch 2", call(*Tiny(GetParam()).unet, golden, 2, ""),
                      golden["output"], kTolerance));
}

TEST_P(TinyFamily, predicts_at_sizes_that_no_level_divides) {
  const Golden golden(GetParam() + "_unet.safetensors");
  EXPECT_TRUE(is_near(GetParam() + ": output at 9 x 12 latents",
                      call(*Tiny(GetParam()).unet, golden, 1, "odd_"), golden["odd_output"], kTolerance));
}

TEST_P(TinyFamily, in_bfloat16_stays_near_float32) {
  const Golden golden(GetParam() + "_unet.safetensors");
  const Tiny tiny(GetParam(), {.dtype = torch::kBFloat16});
  EXPECT_TRUE(
      is_near(GetParam() + ": output in bfloat16", call(*tiny.unet, golden, 2, ""), golden["output"], 0.05));
}

TEST_P(TinyFamily, three_training_steps_are_those_of_the_reference) {
  const json golden = golden_json(GetParam() + "_steps.json");
  Tiny tiny(GetParam());
  EXPECT_EQ(tiny.model->prediction() == Prediction::kV,
            golden["settings"]["prediction_type"] == "v_prediction");
  const PromptEmbeddings embeddings = embed(tiny);
  const TrainedModel model{*tiny.unet, embeddings, tiny.model->prediction()};
  const Golden lora(GetParam() + "_steps_lora.safetensors");
  TrainSettings settings = settings_of(golden["settings"]);
  const auto pairs = pairs_of(golden["pairs"]);
  expect_first_run(GetParam() + ", three steps", train(model, settings, pairs), golden, lora);
}

// Items that leave the rollout at other times and are trained at other timesteps, each with sizes of its own.
TEST_P(TinyFamily, steps_are_the_same_in_packs) {
  const json golden = golden_json(GetParam() + "_steps.json");
  Tiny tiny(GetParam());
  const PromptEmbeddings embeddings = embed(tiny);
  const TrainedModel model{*tiny.unet, embeddings, tiny.model->prediction()};
  TrainSettings settings = settings_of(golden["settings"]);
  settings.pairs_per_step = 6;
  settings.max_train_steps = 2;
  auto pairs = pairs_of(golden["pairs"]);
  for (PromptPair& pair : pairs) {
    pair.batch_size = 2;
    pair.dynamic_crops = true;
  }
  const Training alone = train(model, settings, pairs);
  for (const int64_t items : {2, 4}) {
    settings.items_per_pass = items;
    const Training packed = train(model, settings, pairs);
    const std::string what = fmt::format("{}, packs of {}", GetParam(), items);
    expect_numbers(what + ": losses", losses_of(packed), losses_of(alone), kVariant.number);
    expect_numbers(what + ": gradient norms", norms_of(packed), norms_of(alone), kVariant.number);
    EXPECT_TRUE(is_near(what + ": lora_up", packed.up(), alone.up(), kVariant.lora));
    EXPECT_TRUE(is_near(what + ": lora_down", packed.down(), alone.down(), kVariant.lora));
  }
}

INSTANTIATE_TEST_SUITE_P(Families, TinyFamily, testing::Values("sd2v", "sdxl"),
                         [](const auto& test) { return test.param; });

TEST(Sd2, steps_with_min_snr_are_those_of_the_reference) {
  const json golden = golden_json("sd2v_steps.json");
  const json& variant = variant_named(golden, "min-SNR");
  Tiny tiny("sd2v");
  const PromptEmbeddings embeddings = embed(tiny);
  const TrainSettings settings = settings_of(golden["settings"], variant["settings"]);
  expect_variant(
      "sd2v, min-SNR",
      train({*tiny.unet, embeddings, tiny.model->prediction()}, settings, pairs_of(golden["pairs"])),
      variant);
}

TEST(Sdxl, steps_with_dynamic_crops_are_those_of_the_reference) {
  const json golden = golden_json("sdxl_steps.json");
  const json& variant = variant_named(golden, "dynamic crops");
  Tiny tiny("sdxl");
  const PromptEmbeddings embeddings = embed(tiny);
  auto pairs = pairs_of(golden["pairs"]);
  for (PromptPair& pair : pairs) pair.dynamic_crops = variant["pairs"]["dynamic_crops"];
  const TrainSettings settings = settings_of(golden["settings"], variant["settings"]);
  expect_variant("sdxl, dynamic crops", train({*tiny.unet, embeddings}, settings, pairs), variant);
}

TEST(Sdxl, gives_every_timestep_the_rows_of_all_prompts) {
  const Golden golden("sdxl_unet.safetensors");
  const Tiny tiny("sdxl");
  const AddedConditioning added{golden["pooled"], golden["time_ids"]};
  const TimeFeatures together = tiny.unet->embed_time(golden["timesteps"], &added);
  for (int64_t row = 0; row < 4; ++row) {
    const int64_t prompt = row % 2;
    const AddedConditioning own{golden["pooled"].narrow(0, prompt, 1),
                                golden["time_ids"].narrow(0, prompt, 1)};
    const TimeFeatures alone = tiny.unet->embed_time(golden["timesteps"].narrow(0, row / 2, 1), &own);
    for (size_t resnet = 0; resnet < alone.projected.size(); ++resnet)
      EXPECT_LE(relative_distance(together.projected[resnet].narrow(0, row, 1), alone.projected[resnet]),
                1e-6)
          << row << resnet;
  }
}

TEST(UNetConfig, tells_the_family_by_its_structure) {
  EXPECT_EQ(family_of(parse_unet_config(config_of("sd2v"), "config")), Family::kSd2);
  EXPECT_EQ(family_of(parse_unet_config(config_of("sdxl"), "config")), Family::kSdxl);
  EXPECT_EQ(
      family_of(parse_unet_config(read_local_file(LECO_TEST_DATA "/toy-sd/unet/config.json"), "config")),
      Family::kSd1);
}

TEST(UNetConfig, reads_what_a_level_has_of_its_own) {
  const UNetConfig config = parse_unet_config(config_of("sdxl"), "config");
  EXPECT_EQ(config.heads, (std::vector<int64_t>{1, 2, 4}));
  EXPECT_EQ(config.transformer_depth, (std::vector<int64_t>{1, 2, 3}));
  EXPECT_EQ(config.down_attends, (std::vector<bool>{false, true, true}));
  EXPECT_EQ(config.up_attends, (std::vector<bool>{true, true, false}));
  EXPECT_EQ(config.added_embedding->pooled_features(), 10);
  EXPECT_FALSE(config.upcast_attention);
  EXPECT_TRUE(parse_unet_config(config_of("sd2v"), "config").upcast_attention);
}

// The published SDXL files say null where others say false.
TEST(UNetConfig, takes_null_for_what_is_off) {
  json config = json::parse(config_of("sdxl"));
  config["upcast_attention"] = nullptr;
  EXPECT_FALSE(parse_unet_config(config.dump(), "config").upcast_attention);
}

TEST(UNetConfig, refuses_what_would_change_the_mathematics_and_names_the_key) {
  const std::vector<std::pair<std::string, json>> refused = {
      {"addition_embed_type", "image"},
      {"addition_time_embed_dim", nullptr},
      {"addition_time_embed_dim", 15},
      {"projection_class_embeddings_input_dim", 96},
      {"mid_block_only_cross_attention", true},
      {"transformer_layers_per_block", {1, 2}},
      {"attention_head_dim", {1, 2, 5}},
      {"reverse_transformer_layers_per_block", {1, 2, 3}},
      {"class_embed_type", "projection"},
      {"down_block_types", {"DownBlock2D", "SimpleCrossAttnDownBlock2D", "CrossAttnDownBlock2D"}},
  };
  for (const auto& [key, value] : refused) {
    json config = json::parse(config_of("sdxl"));
    config[key] = value;
    try {
      parse_unet_config(config.dump(), "unet/config.json");
      ADD_FAILURE() << key << " " << value;
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ExitStatus::kUsage);
      EXPECT_NE(std::string(error.what()).find("'" + key + "'"), std::string::npos) << error.what();
    }
  }
}

}  // namespace
}  // namespace leco
