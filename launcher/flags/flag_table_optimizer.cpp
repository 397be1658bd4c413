// Rows of the flag table: optimizer, learning rate.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <memory>

#include "core/error.h"
#include "launcher/flags/flag_groups.h"

namespace leco {
namespace {

constexpr int64_t kMostSteps = 4'294'967'294;  // as max_train_steps

bool is_same_name(std::string_view a, std::string_view b) {
  const auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; };
  return std::ranges::equal(a, b, {}, lower, lower);
}

std::string every_optimizer() {
  std::vector<std::string> names;
  for (const OptimizerName& row : optimizer_names()) names.push_back(row.name);
  return fmt::format("{}", fmt::join(names, ", "));
}

const OptimizerName& optimizer_named(const Given& given) {
  const auto same = [&](const OptimizerName& row) { return is_same_name(row.name, given.word()); };
  const auto names = optimizer_names();
  const auto found = std::ranges::find_if(names, same);
  if (found != names.end()) return *found;
  const std::string_view path = given.word().find('.') == std::string::npos
                                    ? ""
                                    : " (a class path names Python code, and none runs here)";
  refuse_value(given, fmt::format("one of {}{}", every_optimizer(), path));
}

// sd-scripts' default is the empty word, which means AdamW. `named` gets what the user chose.
Form optimizer_form(OptimizerSettings& optimizer, std::shared_ptr<std::string> named) {
  Form form = unbound_form(ValueKind::kText, "", "NAME");
  form.set = [&optimizer, named](const Given& given) {
    if (given.word().empty()) return std::string();
    const OptimizerName& row = optimizer_named(given);
    *named = row.name;
    optimizer = default_optimizer(row.kind);
    return row.note.empty() ? "" : fmt::format("{}: {}", given.text(), row.note);
  };
  form.show = [&optimizer] { return optimizer_name(optimizer.kind); };
  return form;
}

// A switch that is short for --optimizer_type.
Form short_form(OptimizerSettings& optimizer, OptimizerKind kind, std::shared_ptr<std::string> named) {
  Form form = unbound_form(ValueKind::kSwitch);
  form.set = [&optimizer, kind, named](const Given& given) {
    if (given.word() != "true") return std::string();
    const std::string& name = optimizer_name(kind);
    if (!named->empty() && *named != name)
      throw_usage(fmt::format("{} means --optimizer_type={}, and {} was asked for; leave one of them out",
                              given.text(), name, *named));
    *named = name;
    optimizer = default_optimizer(kind);
    return std::string();
  };
  form.show = [&optimizer, kind] { return std::string(optimizer.kind == kind ? "true" : "false"); };
  return form;
}

std::function<void(const std::string&)> refusal_of(const Given& given) {
  return [&given](const std::string& allowed) { refuse_value(given, allowed); };
}

std::string notice_of(const Given& given, const std::vector<std::string>& lines) {
  return lines.empty() ? "" : fmt::format("--{}: {}", given.name, fmt::join(lines, "; "));
}

// What no single argument can say.
void settle(OptimizerSettings& optimizer, const Given& given, std::vector<std::string>& notices) {
  if (optimizer.kind == OptimizerKind::kSgd && optimizer.nesterov &&
      (optimizer.momentum == 0 || optimizer.dampening != 0))
    refuse_value(given, "for nesterov=True a momentum above 0 and no dampening");
  if (optimizer.kind == OptimizerKind::kAdafactor && optimizer.warmup_init && !optimizer.relative_step) {
    optimizer.relative_step = true;
    notices.push_back("relative_step is True, since warmup_init is");
  }
}

// As everywhere, the last given list replaces the whole of an earlier one.
Form optimizer_arguments_form(OptimizerSettings& optimizer) {
  Form form = unbound_form(ValueKind::kWords, "", "NAME=VALUE …");
  form.set = [&optimizer](const Given& given) {
    OptimizerSettings chosen = default_optimizer(optimizer.kind);
    auto notices = set_arguments(optimizer_arguments(chosen), given.words, refusal_of(given));
    settle(chosen, given, notices);
    optimizer = chosen;
    return notice_of(given, notices);
  };
  form.show = [&optimizer] {
    return fmt::format("{}", fmt::join(argument_words(optimizer_arguments(optimizer)), " "));
  };
  return form;
}

Form schedule_form(LrScheduleSettings& schedule) {
  std::vector<std::pair<std::string, LrSchedule>> words;
  for (const LrScheduleName& row : lr_schedule_names()) words.emplace_back(row.name, row.kind);
  return choice_form(schedule.kind, words);
}

Form schedule_arguments_form(LrScheduleSettings& schedule) {
  Form form = unbound_form(ValueKind::kWords, "", "NAME=VALUE …");
  form.set = [&schedule](const Given& given) {
    return notice_of(given, set_arguments(lr_schedule_arguments(schedule), given.words, refusal_of(given)));
  };
  form.show = [&schedule] {
    return fmt::format("{}", fmt::join(argument_words(lr_schedule_arguments(schedule)), " "));
  };
  return form;
}

// Steps, or below 1 (or with '%') a share of max_train_steps.
Form steps_or_share_form(double& target) {
  Form form = unbound_form(ValueKind::kNumber);
  form.metavar = "N|SHARE";
  form.set = [&target](const Given& given) {
    std::string_view word = given.word();
    const bool is_percentage = word.ends_with('%');
    if (is_percentage) word.remove_suffix(1);
    const double value = number_in(given, word, {.lowest = 0}) / (is_percentage ? 100 : 1);
    if (value >= 1 &&
        (is_percentage || value != std::floor(value) || value > static_cast<double>(kMostSteps))) {
      refuse_value(given, "a whole number of steps, or a share of them below 1 (100%)");
    }
    target = value;
    return std::string();
  };
  form.show = [&target] { return number_text(target); };
  return form;
}

// A share of which the whole is one too.
Form ratio_form(std::optional<double>& target) {
  Form form = unbound_form(ValueKind::kNumber);
  form.set = [&target](const Given& given) {
    const double value = number_in(given, given.word(), {});
    if (value < 0 || value > 1) refuse_value(given, "a number from 0 to 1");
    target = value;
    return std::string();
  };
  form.show = [&target] { return target ? number_text(*target) : std::string(); };
  return form;
}

void add_rate_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Learning rate");
  LrScheduleSettings& schedule = settings.lr_schedule;
  group.works(
      "learning_rate", number_form(settings.learning_rate, {.lowest = 0}),
      "the optimizer's rate; 1e-4 to 1e-3 is usual for LECO, far above the default; 1 for Prodigy and "
      "D-Adaptation");
  group.works("unet_lr", number_form(settings.unet_lr, {.lowest = 0}, "learning_rate"),
              "the same, and wins over learning_rate");
  group.works("lr_scheduler", schedule_form(schedule), "how the rate changes over the steps");
  group.works("lr_scheduler_args", schedule_arguments_form(schedule),
              "further arguments: num_cycles (cosine), lr_end (polynomial), min_lr (cosine_with_min_lr), "
              "warmup_type and decay_type (warmup_stable_decay), step_rules (piecewise_constant)");
  group.works("lr_warmup_steps", steps_or_share_form(schedule.warmup),
              "steps over which the rate rises from 0; below 1 (or with %) a share of max_train_steps");
  group.works("lr_decay_steps", steps_or_share_form(schedule.decay),
              "steps at the end over which warmup_stable_decay falls; below 1 (or with %) a share");
  group.works("lr_scheduler_num_cycles", integer_form(schedule.num_cycles, {1, 1'000'000}),
              "restarts of cosine_with_restarts; half-waves of cosine_with_min_lr and warmup_stable_decay");
  group.works("lr_scheduler_power", number_form(schedule.power, {.lowest = 0}), "the power of polynomial");
  group.works("lr_scheduler_timescale", integer_form(schedule.timescale, {1, kMostSteps}, ""),
              "the time scale of inverse_sqrt, in steps; otherwise its warm-up, or 10000");
  group.works("lr_scheduler_min_lr_ratio", ratio_form(schedule.min_lr_ratio),
              "the lowest rate of cosine_with_min_lr and warmup_stable_decay, as a share");
  group.refused("lr_scheduler_type", unbound_form(ValueKind::kText, "", "CLASS"),
                "it names a Python class, and no Python runs here; choose with --lr_scheduler");
}

}  // namespace

void add_optimizer_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Optimizer");
  const auto named = std::make_shared<std::string>();
  group.works("optimizer_type", optimizer_form(settings.optimizer, named),
              "in upper or lower case: " + every_optimizer());
  group.works("use_8bit_adam", short_form(settings.optimizer, OptimizerKind::kAdamW8bit, named),
              "the same as optimizer_type=AdamW8bit");
  group.works("use_lion_optimizer", short_form(settings.optimizer, OptimizerKind::kLion, named),
              "the same as optimizer_type=Lion");
  group.works("optimizer_args", optimizer_arguments_form(settings.optimizer),
              "the optimizer's own arguments; docs/optimizers.md lists them");
  group.refused(
      "fused_backward_pass", unbound_form(ValueKind::kSwitch),
      "gradients are merged over the ranks and clipped before the update, so the two cannot be one; the "
      "LoRA's gradients are small, leave the flag out");
  add_rate_flags(settings, table);
}

}  // namespace leco
