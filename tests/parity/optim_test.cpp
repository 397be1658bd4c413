// Every optimizer for 20 steps, and every schedule for a whole run, beside the Python originals (optim.json,
// optim.safetensors, lr_schedule.json, made by make_optim_golden.py).
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "core/philox.h"
#include "optim/block_quantization.h"
#include "optim/kept_weights.h"
#include "optim/lr_schedule.h"
#include "optim/make_optimizer.h"
#include "tests/support/golden.h"

namespace leco {
namespace {

using nlohmann::json;
using torch::Tensor;

constexpr uint64_t kSeed = 1234;
constexpr int64_t kSampled = 64;
constexpr int64_t kSteps = 20;

[[noreturn]] void fail(const std::string& allowed) {
  throw std::runtime_error("expected " + allowed);
}

// A small matrix, one with 8-bit state whose last block is short, and a convolution (3, 5, 3, 3).
std::vector<WeightSegment> segments(const std::vector<double>& factors = {1, 1, 1}) {
  return {{.offset = 0, .rows = 4, .columns = 24, .rate_factor = factors[0]},
          {.offset = 96, .rows = 70, .columns = 66, .rate_factor = factors[1]},
          {.offset = 4716, .rows = 3, .columns = 3, .matrices = 15, .rate_factor = factors[2]}};
}

OptimizerTarget target_of(const std::vector<WeightSegment>& segments) {
  return {.options = torch::kFloat32, .segments = segments, .base_rate = 1e-2};
}

Tensor normals(int64_t item, int64_t step = 0) {
  std::vector<float> numbers(target_of(segments()).count());
  Draws(kSeed, {.purpose = Purpose::kInitialLatents, .step = step, .item = item}).fill_normal(numbers);
  return at::tensor(numbers);
}

Tensor start() {
  return normals(1) * 0.02;
}

Tensor gradient_of(int64_t step) {
  return (normals(2) + normals(3, step)) * 0.05;
}

OptimizerSettings settings_of(const json& golden) {
  for (const OptimizerName& row : optimizer_names())
    if (row.name == golden["optimizer"]) {
      OptimizerSettings settings = default_optimizer(row.kind);
      set_arguments(optimizer_arguments(settings), golden["arguments"].get<std::vector<std::string>>(), fail);
      return settings;
    }
  throw std::runtime_error("no such optimizer");
}

std::string name_of(const json& golden) {
  return fmt::format("{} {}", golden["optimizer"].get<std::string>(),
                     fmt::join(golden["arguments"].get<std::vector<std::string>>(), " "));
}

void run(Optimizer& optimizer, Tensor& weights, double rate, int64_t first, int64_t last) {
  for (int64_t step = first; step < last; ++step) {
    Tensor gradient = gradient_of(step);
    optimizer.step(weights, gradient, rate * (1 - static_cast<double>(step) / 40));
  }
}

Tensor summary(const Tensor& weights) {
  const Tensor change = weights.to(torch::kFloat64) - start().to(torch::kFloat64);
  const Tensor places = at::arange(kSampled, torch::kInt64).mul(change.numel()).floor_divide(kSampled);
  return at::cat({change.index_select(0, places), change.norm().view({1})});
}

// Float32 rounding of 20 updates.
constexpr double kTolerance = 1e-6;

class Optimizers : public testing::TestWithParam<int> {
 protected:
  static const json& cases() {
    static const json parsed = golden_json("optim.json");
    return parsed;
  }
};

TEST_P(Optimizers, do_as_the_original_does) {
  static const Golden golden("optim.safetensors");
  const json& one = cases()[GetParam()];
  const auto factors = one.value("factors", std::vector<double>{1, 1, 1});
  const OptimizerSettings settings = settings_of(one);
  const auto optimizer = make_optimizer(settings, target_of(segments(factors)));
  Tensor weights = start();
  run(*optimizer, weights, one["learning_rate"], 0, kSteps);
  EXPECT_TRUE(
      is_near(name_of(one), summary(weights), golden[fmt::format("{}.change", GetParam())], kTolerance));
  if (settings.kind != OptimizerKind::kAdamWScheduleFree) return;
  const Tensor trained_on = weights.clone();
  {
    const KeptWeights kept(*optimizer, weights);
    EXPECT_TRUE(is_near(name_of(one) + ", averaged", summary(weights),
                        golden[fmt::format("{}.kept", GetParam())], kTolerance));
  }
  EXPECT_TRUE(at::equal(weights, trained_on)) << "bit for bit what they were";
}

TEST_P(Optimizers, go_on_from_their_state_in_the_same_bits) {
  const json& one = cases()[GetParam()];
  const auto make = [&] { return make_optimizer(settings_of(one), target_of(segments())); };
  const auto whole = make(), first = make(), second = make();
  Tensor expected = start(), weights = start();
  run(*whole, expected, one["learning_rate"], 0, 10);
  run(*first, weights, one["learning_rate"], 0, 5);
  second->load(first->state());
  run(*second, weights, one["learning_rate"], 5, 10);
  EXPECT_TRUE(at::equal(weights, expected)) << name_of(one);
  EXPECT_TRUE(at::equal(second->weights_to_keep(weights), whole->weights_to_keep(expected))) << name_of(one);
}

TEST_P(Optimizers, leave_segments_of_factor_zero_as_they_are) {
  const json& one = cases()[GetParam()];
  auto parts = segments({1, 0, 1});
  const auto optimizer = make_optimizer(settings_of(one), target_of(parts));
  Tensor weights = start();
  run(*optimizer, weights, one["learning_rate"], 0, 5);
  const auto part = [&](const Tensor& flat, int i) {
    return flat.narrow(0, parts[i].offset, parts[i].count());
  };
  const Tensor kept = optimizer->weights_to_keep(weights);
  for (const Tensor& found : {weights, kept})
    EXPECT_TRUE(at::equal(part(found, 1), part(start(), 1))) << name_of(one);
  EXPECT_FALSE(at::equal(part(weights, 0), part(start(), 0))) << name_of(one);
}

INSTANTIATE_TEST_SUITE_P(Golden, Optimizers,
                         testing::Range(0, static_cast<int>(golden_json("optim.json").size())));

// What `leco plan` counts; beside it there is at most a counter of steps.
TEST_P(Optimizers, hold_as_much_state_as_is_said) {
  const OptimizerSettings settings = settings_of(cases()[GetParam()]);
  if (settings.slice_p > 1) return;  // which places are looked at is no state, and takes memory all the same
  const auto parts = segments();
  const int64_t bytes = make_optimizer(settings, target_of(parts))->state_bytes();
  EXPECT_NEAR(bytes, optimizer_state_bytes(settings, parts), 4) << name_of(cases()[GetParam()]);
}

TEST(OptimizerState, of_another_optimizer_is_refused) {
  const auto make = [](OptimizerKind kind) {
    return make_optimizer(default_optimizer(kind), target_of(segments()));
  };
  const auto lion = make(OptimizerKind::kLion);
  EXPECT_THROW(make(OptimizerKind::kAdamW)->load(lion->state()), Error);
  OptimizerState shorter = lion->state();
  shorter.tensors["exp_avg"] = at::zeros({3});
  EXPECT_THROW(make(OptimizerKind::kLion)->load(shorter), Error);
}

TEST(FoundRates, allow_no_rates_of_parts) {
  for (const OptimizerKind kind :
       {OptimizerKind::kProdigy, OptimizerKind::kDAdaptAdam, OptimizerKind::kDAdaptLion}) {
    EXPECT_THROW(make_optimizer(default_optimizer(kind), target_of(segments({1, 16, 1}))), Error);
    EXPECT_NO_THROW(make_optimizer(default_optimizer(kind), target_of(segments({2, 0, 2}))));
  }
  OptimizerSettings adafactor = default_optimizer(OptimizerKind::kAdafactor);
  EXPECT_THROW(make_optimizer(adafactor, target_of(segments({2, 2, 2}))), Error);
  EXPECT_NO_THROW(make_optimizer(adafactor, target_of(segments({1, 0, 1}))));
  adafactor.relative_step = false;
  EXPECT_NO_THROW(make_optimizer(adafactor, target_of(segments({1, 16, 1}))));
}

TEST(DynamicMap, restores_what_it_quantized_to_within_a_step_of_the_map) {
  const Tensor values = normals(4);
  for (const bool is_signed : {true, false}) {
    const BlockQuantizer quantizer(is_signed, torch::kCPU);
    const Tensor x = is_signed ? values : values.abs();
    const auto stored = quantizer.quantize(x);
    EXPECT_EQ(stored.scales.numel(), block_count(x.numel()));
    const Tensor restored = quantizer.restore(stored.codes, stored.scales);
    EXPECT_TRUE(at::equal(restored.sign(), x.sign())) << "no number changes its sign or becomes 0";
    const Tensor scales = stored.scales.repeat_interleave(kQuantizationBlock).narrow(0, 0, x.numel());
    EXPECT_LE(((restored - x).abs() / scales).max().item<double>(), is_signed ? 0.0071 : 0.0036);
  }
}

TEST(DynamicMap, of_zeros_is_zeros) {
  const BlockQuantizer quantizer(true, torch::kCPU);
  const auto stored = quantizer.quantize(at::zeros({300}));
  EXPECT_TRUE(at::equal(quantizer.restore(stored.codes, stored.scales), at::zeros({300})));
}

TEST(OptimizerNames, all_have_a_golden) {
  std::vector<std::string> found;
  for (const json& one : golden_json("optim.json")) found.push_back(one["optimizer"]);
  for (const OptimizerName& row : optimizer_names())
    EXPECT_TRUE(row.name.starts_with("Paged") || std::ranges::find(found, row.name) != found.end())
        << row.name;
}

TEST(Schedules, give_the_rates_of_transformers_and_diffusers) {
  for (const json& golden : golden_json("lr_schedule.json")) {
    TrainSettings settings;
    settings.learning_rate = 1e-3;
    settings.max_train_steps = golden["steps"];
    LrScheduleSettings& schedule = settings.lr_schedule;
    for (const LrScheduleName& row : lr_schedule_names())
      if (row.name == golden["lr_scheduler"]) schedule.kind = row.kind;
    const auto steps_of = [&](const char* key) {
      const std::string text = golden.value(key, "0");
      return std::stod(text) / (text.ends_with('%') ? 100 : 1);
    };
    schedule.warmup = steps_of("lr_warmup_steps");
    schedule.decay = steps_of("lr_decay_steps");
    schedule.num_cycles = golden.value("lr_scheduler_num_cycles", 1);
    schedule.power = golden.value("lr_scheduler_power", 1.0);
    if (golden.contains("lr_scheduler_timescale")) schedule.timescale = golden["lr_scheduler_timescale"];
    if (golden.contains("lr_scheduler_min_lr_ratio"))
      schedule.min_lr_ratio = golden["lr_scheduler_min_lr_ratio"];
    set_arguments(lr_schedule_arguments(schedule),
                  golden.value("lr_scheduler_args", std::vector<std::string>()), fail);
    for (int64_t step = 0; step < settings.max_train_steps; ++step) {
      const double expected = golden["rates"][step];
      EXPECT_NEAR(learning_rate(settings, step), expected, 1e-14 * settings.learning_rate)
          << golden["lr_scheduler"] << ", step " << step;
    }
  }
}

TEST(Schedules, all_have_a_golden) {
  std::vector<std::string> found;
  for (const json& one : golden_json("lr_schedule.json")) found.push_back(one["lr_scheduler"]);
  for (const LrScheduleName& row : lr_schedule_names())
    EXPECT_TRUE(row.kind == LrSchedule::kAdafactor || std::ranges::find(found, row.name) != found.end())
        << row.name;
}

}  // namespace
}  // namespace leco
