#include "launcher/flags/rate_checks.h"

#include <fmt/format.h>

#include "core/error.h"

namespace leco {
namespace {

// A flag of the rate as the user may have given it.
struct RateFlag {
  std::string text;  // "--lr_warmup_steps=10"
  bool is_given = false;
  bool is_used = false;  // by the schedule
};

std::vector<RateFlag> schedule_flags(const LrScheduleSettings& schedule) {
  const LrScheduleSettings defaults;
  const LrScheduleName& row = lr_schedule_name(schedule.kind);
  return {
      {fmt::format("--lr_warmup_steps={}", schedule.warmup), schedule.warmup != defaults.warmup, row.warmup},
      {fmt::format("--lr_decay_steps={}", schedule.decay), schedule.decay != defaults.decay, row.decay},
      {fmt::format("--lr_scheduler_num_cycles={}", schedule.num_cycles),
       schedule.num_cycles != defaults.num_cycles, row.num_cycles},
      {fmt::format("--lr_scheduler_power={}", schedule.power), schedule.power != defaults.power, row.power},
      {fmt::format("--lr_scheduler_timescale={}", schedule.timescale.value_or(0)),
       schedule.timescale.has_value(), row.timescale},
      {fmt::format("--lr_scheduler_min_lr_ratio={}", schedule.min_lr_ratio.value_or(0)),
       schedule.min_lr_ratio.has_value(), row.min_lr_ratio}};
}

void check_warmup(const TrainSettings& settings) {
  const LrScheduleSettings& schedule = settings.lr_schedule;
  const bool is_contradiction =
      schedule.kind == LrSchedule::kConstant || schedule.kind == LrSchedule::kAdafactor;
  if (schedule.warmup == 0 || !is_contradiction || ignores_lr_schedule(settings.optimizer)) return;
  throw_usage(
      fmt::format("--lr_warmup_steps={} contradicts --lr_scheduler={}, which has no warmup; use "
                  "--lr_scheduler=constant_with_warmup or leave the steps out",
                  schedule.warmup, lr_schedule_name(schedule.kind).name));
}

void check_min_lr(const TrainSettings& settings) {
  const LrScheduleSettings& schedule = settings.lr_schedule;
  if (schedule.min_lr_ratio.has_value() == schedule.min_lr.has_value())
    throw_usage(
        "--lr_scheduler=cosine_with_min_lr needs its lowest rate: either --lr_scheduler_min_lr_ratio (a "
        "share) "
        "or --lr_scheduler_args min_lr=… (a rate), and not both");
  if (schedule.min_lr && *schedule.min_lr > settings.base_lr())
    throw_usage(fmt::format("--lr_scheduler_args min_lr={}: expected at most the learning rate, {}",
                            *schedule.min_lr, settings.base_lr()));
}

void check_step_rules(const LrScheduleSettings& schedule) {
  if (rate_pieces(schedule.step_rules)) return;
  throw_usage(fmt::format(
      "--lr_scheduler=piecewise_constant: expected --lr_scheduler_args "
      "step_rules=FACTOR:UNTIL_STEP,…,LAST_FACTOR, such as step_rules=1:10,0.1:20,0.01; it is '{}'",
      schedule.step_rules));
}

}  // namespace

void check_rates(const TrainSettings& settings) {
  const LrScheduleSettings& schedule = settings.lr_schedule;
  check_warmup(settings);
  if (schedule.kind == LrSchedule::kAdafactor && !ignores_learning_rate(settings.optimizer))
    throw_usage(
        "--lr_scheduler=adafactor is the rate that Adafactor finds by itself: it needs "
        "--optimizer_type=Adafactor "
        "with relative_step=True");
  if (ignores_lr_schedule(settings.optimizer)) return;
  if (schedule.kind == LrSchedule::kCosineWithMinLr) check_min_lr(settings);
  if (schedule.kind == LrSchedule::kPiecewiseConstant) check_step_rules(schedule);
  if (schedule.kind == LrSchedule::kPolynomial && settings.base_lr() <= schedule.lr_end)
    throw_usage(fmt::format(
        "--lr_scheduler=polynomial falls from the learning rate, {}, to lr_end, {}: give a higher rate, "
        "or a lower --lr_scheduler_args lr_end=…",
        settings.base_lr(), schedule.lr_end));
  if (schedule.kind == LrSchedule::kWarmupStableDecay &&
      settings.warmup_steps() + settings.decay_steps() > settings.max_train_steps)
    throw_usage(
        fmt::format("--lr_scheduler=warmup_stable_decay: --lr_warmup_steps ({}) and --lr_decay_steps ({}) "
                    "are more than the {} "
                    "steps of --max_train_steps",
                    settings.warmup_steps(), settings.decay_steps(), settings.max_train_steps));
}

std::vector<std::string> rate_notices(const TrainSettings& settings) {
  constexpr double kLowRate = 0.1;  // where sd-scripts warns
  const TrainSettings defaults;
  const OptimizerSettings& optimizer = settings.optimizer;
  const std::string& name = optimizer_name(optimizer.kind);
  std::vector<std::string> notices;
  const auto say = [&](const std::string& flag, const std::string& why) {
    notices.push_back(fmt::format("{} has no effect here: {}", flag, why));
  };
  const bool no_schedule = ignores_lr_schedule(optimizer);
  const std::string finds_rate = name + " with relative_step=True finds its own rate";
  const std::string why = ignores_learning_rate(optimizer) ? finds_rate : name + " takes one rate throughout";
  if (ignores_learning_rate(optimizer)) {
    if (settings.learning_rate != defaults.learning_rate)
      say(fmt::format("--learning_rate={}", settings.learning_rate), finds_rate);
    if (settings.unet_lr) say(fmt::format("--unet_lr={}", *settings.unet_lr), finds_rate);
  }
  const std::string& schedule = lr_schedule_name(settings.lr_schedule.kind).name;
  const bool is_choice = settings.lr_schedule.kind != LrSchedule::kConstant &&
                         settings.lr_schedule.kind != LrSchedule::kAdafactor;
  if (no_schedule && is_choice) say("--lr_scheduler=" + schedule, why);
  for (const RateFlag& flag : schedule_flags(settings.lr_schedule))
    if (flag.is_given && (no_schedule || !flag.is_used))
      say(flag.text, no_schedule ? why : "--lr_scheduler=" + schedule + " does not look at it");
  if (needs_one_rate(optimizer.kind) && settings.base_lr() <= kLowRate)
    notices.push_back(
        fmt::format("the learning rate {} is low for {}, which multiplies it with a step size of its "
                    "own; --learning_rate=1 is usual",
                    settings.base_lr(), name));
  return notices;
}

}  // namespace leco
