#include <algorithm>
#include <cmath>

#include "tests/unit/launcher_flags_support.h"

namespace leco {
namespace {

OptimizerSettings optimizer_of(const Words& words) {
  return parse(words).settings.optimizer;
}

std::string shown(const Words& words, const std::string& flag) {
  for (const auto& [name, value] : parse(words).effective)
    if (name == flag) return value;
  return "(missing)";
}

TEST(OptimizerType, IgnoresCaseAndTakesTheEmptyWordForAdamW) {
  EXPECT_EQ(optimizer_of({}).kind, OptimizerKind::kAdamW);
  EXPECT_EQ(optimizer_of({"--optimizer_type="}).kind, OptimizerKind::kAdamW);
  EXPECT_EQ(optimizer_of({"--optimizer_type=adamw8BIT"}).kind, OptimizerKind::kAdamW8bit);
  for (const OptimizerName& row : optimizer_names())
    EXPECT_EQ(optimizer_of({"--optimizer_type=" + row.name}).kind, row.kind) << row.name;
}

TEST(OptimizerType, RefusesOthersWithTheList) {
  EXPECT_EQ(train_error({"--optimizer_type=AdamX"}),
            "--optimizer_type=AdamX: expected one of AdamW, AdamW8bit, Adam, SGD, SGDNesterov, "
            "SGDNesterov8bit, Lion, "
            "Lion8bit, Adafactor, Prodigy, DAdaptAdam, DAdaptLion, AdamWScheduleFree, RMSprop, Adagrad, "
            "NAdam, RAdam, "
            "PagedAdamW, PagedAdamW8bit, PagedAdamW32bit, PagedLion8bit");
  EXPECT_TRUE(
      contains(train_error({"--optimizer_type=torch.optim.AdamW"}), "a class path names Python code"));
}

TEST(OptimizerType, SaysThatNothingIsPaged) {
  const auto parsed = parse({"--optimizer_type=PagedAdamW8bit"});
  EXPECT_EQ(parsed.settings.optimizer.kind, OptimizerKind::kAdamW8bit);
  ASSERT_EQ(parsed.notices.size(), 1u);
  EXPECT_TRUE(contains(parsed.notices[0], "the unpaged form is used"));
}

TEST(OptimizerType, HasTwoShortFormsThatMayNotContradictIt) {
  EXPECT_EQ(optimizer_of({"--use_8bit_adam"}).kind, OptimizerKind::kAdamW8bit);
  EXPECT_EQ(optimizer_of({"--use_lion_optimizer"}).kind, OptimizerKind::kLion);
  EXPECT_EQ(optimizer_of({"--use_8bit_adam=false", "--optimizer_type=SGD"}).kind, OptimizerKind::kSgd);
  EXPECT_EQ(optimizer_of({"--use_8bit_adam", "--optimizer_args", "eps=1"}).eps, 1);
  EXPECT_EQ(shown({"--use_8bit_adam"}, "optimizer_type"), "AdamW8bit");
  EXPECT_EQ(
      train_error({"--use_8bit_adam", "--use_lion_optimizer"}),
      "--use_lion_optimizer means --optimizer_type=Lion, and AdamW8bit was asked for; leave one of them out");
  EXPECT_TRUE(contains(train_error({"--use_8bit_adam", "--optimizer_type=AdamW"}), "leave one of them out"));
}

TEST(OptimizerArguments, HaveTheDefaultsOfTheOriginals) {
  const auto arguments = [](const std::string& name) {
    return shown({"--optimizer_type=" + name}, "optimizer_args");
  };
  EXPECT_EQ(arguments("Lion"), "betas=0.9,0.99 weight_decay=0 decoupled_weight_decay=False");
  EXPECT_EQ(arguments("SGD"), "momentum=0 dampening=0 weight_decay=0 nesterov=False maximize=False");
  EXPECT_EQ(arguments("SGDNesterov"), "momentum=0.9 weight_decay=0 maximize=False");
  EXPECT_EQ(arguments("AdamW8bit"), "betas=0.9,0.999 eps=1e-08 weight_decay=0.01 min_8bit_size=4096");
  EXPECT_EQ(arguments("Adafactor"),
            "eps=1e-30,0.001 clip_threshold=1 decay_rate=-0.8 weight_decay=0 scale_parameter=True "
            "relative_step=True "
            "warmup_init=False");
  EXPECT_EQ(arguments("DAdaptAdam"),
            "betas=0.9,0.999 eps=1e-08 weight_decay=0 decouple=False use_bias_correction=False d0=1e-06 "
            "growth_rate=inf");
  EXPECT_EQ(arguments("Adagrad"),
            "lr_decay=0 weight_decay=0 initial_accumulator_value=0 eps=1e-10 maximize=False");
}

TEST(OptimizerArguments, ReadBackAsTheyAreShown) {
  for (const OptimizerName& row : optimizer_names()) {
    OptimizerSettings settings = default_optimizer(row.kind);
    Words words = {"--optimizer_type=" + row.name, "--optimizer_args"};
    for (const std::string& word : argument_words(optimizer_arguments(settings))) words.push_back(word);
    EXPECT_EQ(shown(words, "optimizer_args"), shown({words[0]}, "optimizer_args")) << row.name;
  }
}

TEST(OptimizerArguments, AreWrittenAsPythonWritesThem) {
  EXPECT_EQ(optimizer_of({"--optimizer_args", "betas=[0.8, 0.9]", "amsgrad=True"}).betas,
            (NumberPair{0.8, 0.9}));
  const auto adafactor =
      optimizer_of({"--optimizer_type=Adafactor", "--optimizer_args", "beta1=None", "eps=(1e-20, 1e-2)"});
  EXPECT_FALSE(adafactor.beta1.has_value());
  EXPECT_EQ(adafactor.factor_eps, (NumberPair{1e-20, 1e-2}));
  EXPECT_EQ(optimizer_of({"--optimizer_type=Prodigy", "--optimizer_args", "growth_rate=inf"}).growth_rate,
            INFINITY);
}

TEST(OptimizerArguments, AreRefusedByNameAndRange) {
  const auto refused = [](const std::string& type, const std::string& word) {
    return train_error({"--optimizer_type=" + type, "--optimizer_args", word});
  };
  EXPECT_EQ(refused("Lion", "weight_dekay=0.1"),
            "--optimizer_args weight_dekay=0.1: expected one of Lion's arguments, betas, weight_decay, "
            "decoupled_weight_decay; 'weight_dekay' is none of them, did you mean weight_decay?");
  const std::vector<std::tuple<std::string, std::string, std::string>> cases = {
      {"AdamW", "lr=1", "'lr' is none of them"},
      {"AdamW", "betas=0.9,1", "for betas two numbers a,b, each of at least 0 and below 1"},
      {"AdamW", "eps=nan", "for eps a number of at least 0"},
      {"AdamW", "weight_decay=inf", "for weight_decay a number of at least 0"},
      {"AdamW", "amsgrad=yes", "for amsgrad True or False"},
      {"AdamW8bit", "percentile_clipping=5", "for percentile_clipping 100: --max_grad_norm clips"},
      {"AdamW8bit", "min_8bit_size=4.5", "for min_8bit_size an integer of at least 0"},
      {"SGD", "nesterov=True", "for nesterov=True a momentum above 0"},
      {"Prodigy", "d0=0", "for d0 a number above 0"},
      {"Prodigy", "slice_p=0", "for slice_p an integer of at least 1"},
      {"AdamWScheduleFree", "betas=0,0.9", "each above 0 and below 1"},
      {"Adafactor", "beta1=2", "for beta1 None or a number of at least 0 and below 1"}};
  for (const auto& [type, word, part] : cases)
    EXPECT_TRUE(contains(refused(type, word), part)) << refused(type, word);
}

TEST(OptimizerArguments, WithoutEffectAreExplained) {
  EXPECT_EQ(
      parse({"--optimizer_args", "fused=True"}).notices,
      Words{
          "--optimizer_args: fused has no effect here: it chooses how PyTorch carries the same update out"});
  EXPECT_TRUE(parse({"--optimizer_type=AdamW8bit", "--optimizer_args", "block_wise=True"}).notices.empty());
  const auto adafactor =
      parse({"--optimizer_type=Adafactor", "--optimizer_args", "relative_step=False", "warmup_init=True"});
  EXPECT_TRUE(adafactor.settings.optimizer.relative_step);
  ASSERT_EQ(adafactor.notices.size(), 1u);
  EXPECT_TRUE(contains(adafactor.notices[0], "relative_step is True, since warmup_init is"));
}

TEST(Rates, ThatTheOptimizerFindsItselfAreExplained) {
  const auto adafactor = parse(
      {"--optimizer_type=Adafactor", "--learning_rate=1e-4", "--lr_scheduler=cosine", "--lr_warmup_steps=5"});
  ASSERT_EQ(adafactor.notices.size(), 3u);
  EXPECT_TRUE(contains(adafactor.notices[0],
                       "--learning_rate=0.0001 has no effect here: Adafactor with relative_step"));
  EXPECT_TRUE(contains(adafactor.notices[1], "--lr_scheduler=cosine has no effect here: "));
  EXPECT_TRUE(contains(adafactor.notices[2], "--lr_warmup_steps=5 has no effect here: "));
  EXPECT_TRUE(parse({"--optimizer_type=Adafactor", "--lr_scheduler=adafactor"}).notices.empty());
  const auto free =
      parse({"--optimizer_type=AdamWScheduleFree", "--learning_rate=1e-4", "--lr_scheduler=linear"});
  EXPECT_EQ(free.notices,
            Words{"--lr_scheduler=linear has no effect here: AdamWScheduleFree takes one rate throughout"});
  EXPECT_TRUE(contains(parse({"--optimizer_type=Prodigy"}).notices.at(0), "--learning_rate=1 is usual"));
  EXPECT_TRUE(parse({"--optimizer_type=Prodigy", "--learning_rate=1"}).notices.empty());
}

TEST(Rates, OfASchedulesOwnAreChecked) {
  EXPECT_EQ(train_error({"--lr_scheduler=cosin"}),
            "--lr_scheduler=cosin: expected one of constant, constant_with_warmup, linear, cosine, "
            "cosine_with_restarts, polynomial, inverse_sqrt, cosine_with_min_lr, warmup_stable_decay, "
            "piecewise_constant, adafactor");
  const std::vector<std::pair<Words, std::string>> cases = {
      {{"--lr_scheduler=adafactor"}, "needs --optimizer_type=Adafactor"},
      {{"--lr_scheduler=cosine_with_min_lr"}, "either --lr_scheduler_min_lr_ratio"},
      {{"--lr_scheduler=cosine_with_min_lr", "--lr_scheduler_args", "min_lr=1"}, "at most the learning rate"},
      {{"--lr_scheduler=piecewise_constant"}, "expected --lr_scheduler_args step_rules="},
      {{"--lr_scheduler=piecewise_constant", "--lr_scheduler_args", "step_rules=1:x,2"}, "it is '1:x,2'"},
      {{"--lr_scheduler=polynomial", "--learning_rate=1e-8"}, "give a higher rate"},
      {{"--lr_scheduler=warmup_stable_decay", "--lr_warmup_steps=10", "--lr_decay_steps=10",
        "--max_train_steps=15"},
       "are more than the 15 steps"},
      {{"--lr_scheduler=warmup_stable_decay", "--lr_scheduler_args", "decay_type=log"},
       "one of linear, cosine, 1-sqrt"},
      {{"--lr_scheduler_args", "power=2"}, "the schedule constant takes no arguments"},
      {{"--lr_scheduler=polynomial", "--lr_scheduler_args", "lr_ent=0"}, "did you mean lr_end?"}};
  for (const auto& [words, part] : cases)
    EXPECT_TRUE(contains(train_error(words), part)) << train_error(words);
}

TEST(Rates, FlagsThatAScheduleDoesNotReadAreExplained) {
  EXPECT_EQ(parse({"--lr_scheduler=cosine", "--lr_scheduler_power=2"}).notices,
            Words{"--lr_scheduler_power=2 has no effect here: --lr_scheduler=cosine does not look at it"});
  EXPECT_TRUE(parse({"--lr_scheduler=polynomial", "--lr_scheduler_power=2"}).notices.empty());
  EXPECT_TRUE(parse({"--lr_scheduler=piecewise_constant", "--lr_scheduler_args", "step_rules='1:10,0.1'"})
                  .notices.empty());
}

TEST(Docs, ListEveryOptimizerWithItsDefaults) {
  const std::string page = read_local_file(std::string(LECO_SOURCE_DIR) + "/docs/optimizers.md");
  for (const OptimizerName& row : optimizer_names()) {
    if (row.name.starts_with("Paged")) continue;
    std::string arguments;
    OptimizerSettings settings = default_optimizer(row.kind);
    for (const NamedArgument& argument : optimizer_arguments(settings).arguments)
      arguments += " `" + argument.name + "=" + value_text(argument) + "`";
    const std::string line = "\n| `" + row.name + "` | " + row.original + " |" + arguments + " |\n";
    EXPECT_TRUE(contains(page, line)) << "docs/optimizers.md lacks" << line;
  }
  for (const LrScheduleName& row : lr_schedule_names())
    EXPECT_TRUE(contains(page, "\n| `" + row.name + "` | ")) << row.name;
}

TEST(StateBytes, AreLessWithEightBits) {
  const std::vector<WeightSegment> segments = {{.offset = 0, .rows = 16, .columns = 320},
                                               {.offset = 5120, .rows = 4, .columns = 320}};
  const auto bytes = [&](OptimizerKind kind) {
    return optimizer_state_bytes(default_optimizer(kind), segments);
  };
  EXPECT_EQ(bytes(OptimizerKind::kAdamW), 2 * 4 * 6400);
  EXPECT_EQ(bytes(OptimizerKind::kAdamW8bit), 2 * (5120 + 4 * 20 + 4 * 1280));  // the second is too small
  EXPECT_EQ(bytes(OptimizerKind::kAdafactor), 4 * (16 + 320 + 4 + 320));
}

}  // namespace
}  // namespace leco
