// Whole training steps must be those of the reference trainer (steps.json, made by make_golden.py), with any
// number of items in a U-Net call.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "lora/lora_network.h"
#include "tests/support/golden_steps.h"
#include "tests/support/toy_model.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

const json& golden() {
  static const json parsed = golden_json("steps.json");
  return parsed;
}

std::vector<PromptPair> golden_pairs() {
  return pairs_of(golden()["pairs"]);
}

class Steps : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    unet_ = load_toy_unet();
    embeddings_ = encode_with_toy(
        {"", "a big red circle", "a red circle", "circle", "a big circle", "a small circle", "blue square"});
  }
  static void TearDownTestSuite() { unet_.reset(); }

  static Training train(const TrainSettings& settings, const std::vector<PromptPair>& pairs) {
    return leco::train({*unet_, embeddings_}, settings, pairs);
  }

  static std::unique_ptr<UNet> unet_;
  static PromptEmbeddings embeddings_;
};
std::unique_ptr<UNet> Steps::unet_;
PromptEmbeddings Steps::embeddings_;

void expect_three_steps(const std::string& what, const Training& run) {
  expect_first_run(what, run, golden(), Golden("steps_lora.safetensors"));
}

TEST_F(Steps, three_of_them_are_those_of_the_reference) {
  expect_three_steps("three steps", train(settings_of(golden()["settings"]), golden_pairs()));
}

TEST_F(Steps, with_other_settings_are_those_of_the_reference) {
  ASSERT_FALSE(golden()["variants"].empty());
  for (const json& variant : golden()["variants"])
    expect_variant(variant["name"],
                   train(settings_of(golden()["settings"], variant["settings"]), golden_pairs()), variant);
}

// A shuffled step has two items of each pair, which bring packs of two at most; a random one has more of a
// kind.
TEST_F(Steps, in_packs_are_those_of_the_reference) {
  TrainSettings settings = settings_of(golden()["settings"]);
  settings.items_per_pass = 2;
  expect_three_steps("packs of 2", train(settings, golden_pairs()));
  for (const auto& [name, items] :
       {std::pair{"neuron dropout", 2}, {"min-SNR", 2}, {"random pair order", 3}, {"random pair order", 4}}) {
    const json& variant = variant_named(golden(), name);
    settings = settings_of(golden()["settings"], variant["settings"]);
    settings.items_per_pass = items;
    expect_variant(fmt::format("packs of {}, {}", items, name), train(settings, golden_pairs()), variant);
  }
}

// The points of a pack's items lie at different steps of one rollout, and not all have as many.
TEST_F(Steps, with_other_samplers_and_several_points_a_rollout_are_those_of_the_reference) {
  const json rollouts = golden_json("rollout_steps.json");
  ASSERT_EQ(rollouts["variants"].size(), 4u);
  for (const json& variant : rollouts["variants"]) {
    TrainSettings settings = settings_of(golden()["settings"], variant["settings"]);
    for (const int64_t items : {1, 2}) {
      settings.items_per_pass = items;
      expect_variant(fmt::format("{}, packs of {}", variant["name"].get<std::string>(), items),
                     train(settings, golden_pairs()), variant);
    }
  }
}

// The losses of single items at the first weights: a step's loss hides which of its items is wrong.
TEST_F(Steps, first_step_gives_each_item_its_loss) {
  for (const int64_t items : {1, 2}) {
    TrainSettings settings = settings_of(golden()["settings"]);
    settings.items_per_pass = items;
    const auto pairs = golden_pairs();
    LoraNetwork network(
        *unet_,
        {.rank = settings.network_dim, .alpha = settings.network_alpha, .args = settings.network_args},
        *settings.seed);
    const PackWorker worker({settings, pairs, *unet_, embeddings_});
    std::vector<double> expected, found(*settings.pairs_per_step);
    for (const json& item : golden()["records"][0]["items"]) expected.push_back(item["loss"]);
    for (const Pack& pack : plan_step(plan_settings(settings, 1), pairs, 0, 1).packs) {
      const Tensor x = worker.roll_out(pack).front();
      const Tensor losses = worker.losses(pack, worker.predict(pack, x), worker.goal(pack, x));
      for (size_t i = 0; i < pack.size(); ++i)
        found[pack[i].index] = losses[static_cast<int64_t>(i)].item<double>();
    }
    expect_numbers(fmt::format("losses of single items, packs of {}", items), found, expected,
                   StepTolerance().number);
  }
}

// What the golden's two pairs do not bring together in one pack: different multipliers, weights, actions and
// numbers of distinct prompts; and a pair whose rollout needs no guidance, which must not join those that do.
std::vector<PromptPair> mixed_pairs() {
  const Resolution size = {128, 128};
  return {{.target = "circle",
           .positive = "a big circle",
           .unconditional = "a small circle",
           .neutral = "circle",
           .action = Action::kEnhance,
           .guidance_scale = 2.0,
           .resolution = size,
           .multiplier = -1.0},
          {.target = "a big red circle",
           .positive = "a red circle",
           .unconditional = "",
           .neutral = "blue square",
           .resolution = size,
           .multiplier = 0.5,
           .weight = 0.25},
          {.target = "",
           .positive = "circle",
           .unconditional = "",
           .neutral = "",
           .guidance_scale = 3.0,
           .resolution = size,
           .multiplier = 2.0},
          {.target = "blue square",
           .positive = "blue square",
           .unconditional = "blue square",
           .neutral = "",
           .resolution = size,
           .multiplier = 1.0}};
}

TEST_F(Steps, of_mixed_pairs_are_the_same_in_packs) {
  TrainSettings settings = settings_of(golden()["settings"]);
  settings.pairs_per_step = 8;
  settings.max_train_steps = 2;
  const Training alone = train(settings, mixed_pairs());
  for (const int64_t items : {2, 3, 4}) {
    settings.items_per_pass = items;
    const Training packed = train(settings, mixed_pairs());
    const std::string what = fmt::format("mixed pairs, packs of {}", items);
    expect_numbers(what + ": losses", losses_of(packed), losses_of(alone), kVariant.number);
    expect_numbers(what + ": gradient norms", norms_of(packed), norms_of(alone), kVariant.number);
    EXPECT_TRUE(is_near(what + ": lora_up", packed.up(), alone.up(), kVariant.lora));
    EXPECT_TRUE(is_near(what + ": lora_down", packed.down(), alone.down(), kVariant.lora));
  }
}

}  // namespace
}  // namespace leco
