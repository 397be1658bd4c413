// Whole training steps must be those of the reference trainer (steps.json, made by make_golden.py), with any
// number of items in a U-Net call.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "comm/local_communicator.h"
#include "core/error.h"
#include "lora/lora_network.h"
#include "tests/support/golden.h"
#include "tests/support/toy_model.h"
#include "train/trainer.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

// All relative: each loss and gradient norm, and all lora_up, or all lora_down, as one vector.
struct Tolerance {
  double number = 1e-5, lora = 1e-4;
};
constexpr Tolerance kThreeSteps;
// A variant stores 60 entries of its LoRA, so that few small gradients, whose rounding AdamW magnifies, weigh
// more. On the mixed pairs the reference's own LoRA in float32 is 1.1e-4 from the one it trains in double.
constexpr Tolerance kVariant = {.number = 3e-5, .lora = 3e-4};

const json& golden() {
  static const json parsed = golden_json("steps.json");
  return parsed;
}

// The golden's keys are the flags' names. A key that is not read here would make a test of something else.
TrainSettings settings_of(const json& first, const json& changes = json::object()) {
  json keys = first;
  keys.update(changes);
  TrainSettings settings;
  const auto take = [&](const char* key, auto set) {
    if (!keys.contains(key)) return;
    set(keys[key]);
    keys.erase(key);
  };
  take("seed", [&](uint64_t value) { settings.seed = value; });
  take("max_train_steps", [&](int64_t value) { settings.max_train_steps = value; });
  take("pairs_per_step", [&](int64_t value) { settings.pairs_per_step = value; });
  take("max_denoising_steps", [&](int64_t value) { settings.max_denoising_steps = value; });
  take("leco_denoise_guidance_scale", [&](double value) { settings.leco_denoise_guidance_scale = value; });
  take("noise_offset", [&](double value) { settings.noise_offset = value; });
  take("network_dim", [&](int64_t value) { settings.network_dim = value; });
  take("network_alpha", [&](double value) { settings.network_alpha = value; });
  take("network_dropout", [&](double value) { settings.network_dropout = value; });
  take("learning_rate", [&](double value) { settings.learning_rate = value; });
  take("max_grad_norm", [&](double value) { settings.max_grad_norm = value; });
  take("lr_warmup_steps", [&](double value) { settings.lr_warmup_steps = value; });
  take("rollout_length", [&](const std::string& value) {
    settings.rollout_length = value == "shared"        ? RolloutLength::kShared
                              : value == "independent" ? RolloutLength::kIndependent
                                                       : RolloutLength::kAntithetic;
  });
  take("pair_order", [&](const std::string& value) {
    settings.pair_order = value == "random" ? PairOrder::kRandom : PairOrder::kShuffle;
  });
  take("lr_scheduler", [&](const std::string& value) {
    settings.lr_scheduler = value == "constant" ? LrSchedule::kConstant : LrSchedule::kConstantWithWarmup;
  });
  if (!keys.empty()) throw Error("this test does not know the settings " + keys.dump());
  return settings;
}

std::vector<PromptPair> golden_pairs() {
  std::vector<PromptPair> pairs;
  for (const json& pair : golden()["pairs"])
    pairs.push_back({.target = pair["target"],
                     .positive = pair["positive"],
                     .unconditional = pair["unconditional"],
                     .neutral = pair["neutral"],
                     .action = pair["action"] == "erase" ? Action::kErase : Action::kEnhance,
                     .guidance_scale = pair["guidance_scale"],
                     .resolution = {pair["resolution"], pair["resolution"]},
                     .dynamic_resolution = pair["dynamic_resolution"],
                     .batch_size = pair["batch_size"],
                     .multiplier = pair["multiplier"],
                     .weight = pair["weight"]});
  return pairs;
}

// A run's reports, and its LoRA as one row: for each module lora_down, then lora_up.
struct Training {
  std::vector<StepReport> reports;
  Tensor weights;  // (n)
  Tensor is_up;    // (n), bool

  Tensor up() const { return weights.masked_select(is_up); }
  Tensor down() const { return weights.masked_select(~is_up); }
};

class Steps : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    unet_ = load_toy_unet();
    embeddings_ = encode_with_toy(
        {"", "a big red circle", "a red circle", "circle", "a big circle", "a small circle", "blue square"});
  }
  static void TearDownTestSuite() { unet_.reset(); }

  static Training train(const TrainSettings& settings, const std::vector<PromptPair>& pairs) {
    LoraNetwork network(*unet_, {.rank = settings.network_dim, .alpha = settings.alpha()}, *settings.seed);
    const auto comm = make_local_communicator();
    Trainer trainer({settings, pairs, *unet_, embeddings_, network, *comm});
    Training run;
    for (int64_t step = 0; step < settings.max_train_steps; ++step) run.reports.push_back(trainer.step(step));
    run.weights = network.weights().clone();
    std::vector<Tensor> is_up;
    for (const auto& module : network.modules()) {
      is_up.push_back(at::zeros({module->down().numel()}, torch::kBool));
      is_up.push_back(at::ones({module->up().numel()}, torch::kBool));
    }
    run.is_up = at::cat(is_up);
    return run;
  }

  static std::unique_ptr<UNet> unet_;
  static PromptEmbeddings embeddings_;
};
std::unique_ptr<UNet> Steps::unet_;
PromptEmbeddings Steps::embeddings_;

// Each number of `found` within the tolerance of its own expected one; prints the greatest distance.
void expect_numbers(const std::string& what, const std::vector<double>& found,
                    const std::vector<double>& expected, double tolerance) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  double greatest = 0;
  for (size_t i = 0; i < found.size(); ++i) {
    greatest = std::max(greatest, std::abs(found[i] - expected[i]) / expected[i]);
    EXPECT_NEAR(found[i], expected[i], tolerance * expected[i]) << what << ", place " << i;
  }
  print_distance(what, greatest, tolerance);
}

void expect_items(const std::vector<WorkItem>& found, const json& expected) {
  json ours = json::array(), theirs = json::array();
  for (const WorkItem& item : found)
    ours.push_back({item.pair, item.k, item.timestep, item.resolution.height, item.resolution.width});
  for (const json& item : expected)
    theirs.push_back({item["pair"], item["k"], item["t"], item["height"], item["width"]});
  EXPECT_EQ(ours, theirs);
}

std::vector<double> losses_of(const Training& run) {
  std::vector<double> losses;
  for (const StepReport& report : run.reports) losses.push_back(report.loss);
  return losses;
}

std::vector<double> norms_of(const Training& run) {
  std::vector<double> norms;
  for (const StepReport& report : run.reports) norms.push_back(report.gradient_norm);
  return norms;
}

void expect_records(const std::string& what, const Training& run, const json& records, double tolerance) {
  ASSERT_EQ(run.reports.size(), records.size()) << what;
  std::vector<double> losses, norms;
  for (size_t i = 0; i < records.size(); ++i) {
    const StepReport& ours = run.reports[i];
    losses.push_back(records[i]["loss"]);
    norms.push_back(records[i]["grad_norm"]);
    EXPECT_EQ(ours.step, records[i]["step"]);
    EXPECT_DOUBLE_EQ(ours.learning_rate, records[i]["lr"]) << what << ", step " << i + 1;
    expect_items(ours.items, records[i]["items"]);
  }
  expect_numbers(what + ": losses", losses_of(run), losses, tolerance);
  expect_numbers(what + ": gradient norms", norms_of(run), norms, tolerance);
}

// Our entries at `index` against `value`, those of lora_up and those of lora_down apart.
void expect_entries(const std::string& what, const Training& run,
                    const std::pair<Tensor, Tensor>& index_and_value, double tolerance) {
  const auto& [index, value] = index_and_value;
  const Tensor is_up = run.is_up.index_select(0, index);
  const Tensor ours = run.weights.index_select(0, index);
  EXPECT_TRUE(is_near(what + ": entries of lora_up", ours.masked_select(is_up), value.masked_select(is_up),
                      tolerance));
  EXPECT_TRUE(is_near(what + ": entries of lora_down", ours.masked_select(~is_up),
                      value.masked_select(~is_up), tolerance));
}

// Norms of the modules' lora_up or lora_down.
Tensor module_norms(const Training& run, bool up) {
  std::vector<double> norms;
  int64_t begin = 0;
  const Tensor turns = run.is_up.diff().nonzero().view({-1}) + 1;  // where down becomes up, and up down
  for (int64_t i = 0; i <= turns.size(0); ++i) {
    const int64_t end = i < turns.size(0) ? turns[i].item<int64_t>() : run.weights.size(0);
    if ((i % 2 == 1) == up)
      norms.push_back(run.weights.narrow(0, begin, end - begin).to(torch::kFloat64).norm().item<double>());
    begin = end;
  }
  return at::tensor(norms, torch::kFloat64);
}

void expect_three_steps(const std::string& what, const Training& run) {
  expect_records(what, run, golden()["records"], kThreeSteps.number);
  EXPECT_EQ(run.weights.numel(), golden()["weights"]);
  const Golden lora("steps_lora.safetensors");
  expect_entries(what, run, {lora["index"], lora["value"]}, kThreeSteps.lora);
  EXPECT_TRUE(
      is_near(what + ": norms of each lora_up", module_norms(run, true), lora["up_norms"], kThreeSteps.lora));
  EXPECT_TRUE(is_near(what + ": norms of each lora_down", module_norms(run, false), lora["down_norms"],
                      kThreeSteps.lora));
}

void expect_variant(const std::string& what, const Training& run, const json& variant) {
  expect_records(what, run, variant["records"], kVariant.number);
  expect_entries(what, run,
                 {at::tensor(variant["index"].get<std::vector<int64_t>>()),
                  at::tensor(variant["value"].get<std::vector<double>>(), torch::kFloat64)},
                 kVariant.lora);
  const auto norm = [](const Tensor& all) { return all.to(torch::kFloat64).norm().item<double>(); };
  expect_numbers(what + ": norms of all lora_up and lora_down", {norm(run.up()), norm(run.down())},
                 {variant["up_norm"], variant["down_norm"]}, kThreeSteps.lora);
}

const json& variant_named(const std::string& name) {
  for (const json& variant : golden()["variants"])
    if (variant["name"] == name) return variant;
  throw Error("no variant " + name);
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
       {std::pair{"neuron dropout", 2}, {"random pair order", 3}, {"random pair order", 4}}) {
    const json& variant = variant_named(name);
    settings = settings_of(golden()["settings"], variant["settings"]);
    settings.items_per_pass = items;
    expect_variant(fmt::format("packs of {}, {}", items, name), train(settings, golden_pairs()), variant);
  }
}

// The losses of single items at the first weights: a step's loss hides which of its items is wrong.
TEST_F(Steps, first_step_gives_each_item_its_loss) {
  for (const int64_t items : {1, 2}) {
    TrainSettings settings = settings_of(golden()["settings"]);
    settings.items_per_pass = items;
    const auto pairs = golden_pairs();
    LoraNetwork network(*unet_, {.rank = settings.network_dim, .alpha = settings.alpha()}, *settings.seed);
    const PackWorker worker({settings, pairs, *unet_, embeddings_});
    std::vector<double> expected, found(*settings.pairs_per_step);
    for (const json& item : golden()["records"][0]["items"]) expected.push_back(item["loss"]);
    for (const Pack& pack : plan_step(plan_settings(settings, 1), pairs, 0, 1).packs) {
      const Tensor x = worker.roll_out(pack);
      const Tensor losses = worker.losses(pack, worker.predict(pack, x), worker.goal(pack, x));
      for (size_t i = 0; i < pack.size(); ++i)
        found[pack[i].index] = losses[static_cast<int64_t>(i)].item<double>();
    }
    expect_numbers(fmt::format("losses of single items, packs of {}", items), found, expected,
                   kThreeSteps.number);
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
