// Rows of the flag table: steps, optimizer, learning rate.
#include <fmt/format.h>

#include <cmath>

#include "launcher/flag_groups.h"

namespace leco {
namespace {

constexpr int64_t kMostSteps =
    4'294'967'294;  // a step is one 32-bit counter word; the last one belongs to `evaluate`
constexpr int64_t kMostAccumulation = 1'000'000;

// "0.9, 0.999", also in brackets or parentheses.
void set_betas(const Given& given, std::string_view text, AdamWSettings& adamw) {
  if (text.size() >= 2 &&
      ((text.front() == '(' && text.back() == ')') || (text.front() == '[' && text.back() == ']'))) {
    text = text.substr(1, text.size() - 2);
  }
  const size_t comma = text.find(',');
  if (comma == std::string_view::npos) refuse_value(given, "two numbers in betas=b1,b2");
  std::string_view second = text.substr(comma + 1);
  while (second.starts_with(' ')) second.remove_prefix(1);
  adamw.beta1 = number_in(given, text.substr(0, comma), {.lowest = 0, .below = 1});
  adamw.beta2 = number_in(given, second, {.lowest = 0, .below = 1});
}

void set_optimizer_argument(const Given& given, std::string_view argument, AdamWSettings& adamw) {
  const size_t equals = argument.find('=');
  if (equals == std::string_view::npos) {
    refuse_value(given, fmt::format("name=value for each word; '{}' is not", argument));
  }
  const std::string_view name = argument.substr(0, equals), value = argument.substr(equals + 1);
  if (name == "betas") {
    set_betas(given, value, adamw);
  } else if (name == "eps") {
    adamw.eps = number_in(given, value, {.lowest = 0});
  } else if (name == "weight_decay") {
    adamw.weight_decay = number_in(given, value, {.lowest = 0});
  } else {
    refuse_value(given,
                 fmt::format("betas, eps or weight_decay, AdamW's arguments in this version; '{}' is none of "
                             "them",
                             name));
  }
}

// As everywhere, the last given list replaces the whole of an earlier one.
Form adamw_form(AdamWSettings& adamw) {
  Form form;
  form.kind = ValueKind::kWords;
  form.metavar = "NAME=VALUE …";
  form.set = [&adamw](const Given& given) {
    AdamWSettings chosen;
    for (const std::string& word : given.words) set_optimizer_argument(given, word, chosen);
    adamw = chosen;
    return std::string();
  };
  form.show = [&adamw] {
    return fmt::format("betas={},{} eps={} weight_decay={}", adamw.beta1, adamw.beta2, adamw.eps,
                       adamw.weight_decay);
  };
  return form;
}

// sd-scripts' default is the empty word, which means AdamW.
Form optimizer_form() {
  Form form = only_form(
      ValueKind::kText, "AdamW",
      {"AdamW8bit",       "Adam",         "SGD",     "SGDNesterov", "SGDNesterov8bit", "Lion",
       "Lion8bit",        "Adafactor",    "Prodigy", "DAdaptAdam",  "DAdaptLion",      "AdamWScheduleFree",
       "RMSprop",         "Adagrad",      "NAdam",   "RAdam",       "PagedAdamW",      "PagedAdamW8bit",
       "PagedAdamW32bit", "PagedLion8bit"},
      Case::kIgnored);
  form.set = [set = form.set](const Given& given) {
    return given.word().empty() ? std::string() : set(given);
  };
  return form;
}

// Steps, or below 1 (or with '%') a share of max_train_steps.
Form warmup_form(double& target) {
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

void add_rate_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Learning rate");
  group.works("learning_rate", number_form(settings.learning_rate, {.lowest = 0}),
              "the optimizer's rate; 1e-4 to 1e-3 is usual for LECO, far above the default");
  group.works("unet_lr", number_form(settings.unet_lr, {.lowest = 0}, "learning_rate"),
              "the same, and wins over learning_rate");
  group.works("lr_scheduler",
              choice_form(settings.lr_scheduler,
                          {{"constant", LrSchedule::kConstant},
                           {"constant_with_warmup", LrSchedule::kConstantWithWarmup}},
                          {"linear", "cosine", "cosine_with_restarts", "polynomial", "inverse_sqrt",
                           "cosine_with_min_lr", "warmup_stable_decay", "piecewise_constant", "adafactor"}),
              "how the rate changes over the steps");
  group.works(
      "lr_warmup_steps", warmup_form(settings.lr_warmup_steps),
      "steps over which the rate rises from 0, for constant_with_warmup; below 1 (or with %) a share of "
      "max_train_steps");
  const std::string no_parameters = "constant and constant_with_warmup are, and they have no such parameter";
  group.later("lr_scheduler_args", unbound_form(ValueKind::kWords, "", "NAME=VALUE …"),
              "further arguments of a schedule", no_parameters);
  group.later("lr_decay_steps", unbound_form(ValueKind::kNumber, "0", "N|SHARE"),
              "steps over which warmup_stable_decay falls", no_parameters);
  group.later("lr_scheduler_num_cycles", unbound_form(ValueKind::kInteger, "1"),
              "restarts of cosine_with_restarts", no_parameters);
  group.later("lr_scheduler_power", unbound_form(ValueKind::kNumber, "1"), "the power of polynomial",
              no_parameters);
  group.later("lr_scheduler_timescale", unbound_form(ValueKind::kInteger), "the time scale of inverse_sqrt",
              no_parameters);
  group.later("lr_scheduler_min_lr_ratio", unbound_form(ValueKind::kNumber),
              "the lowest rate of cosine_with_min_lr and warmup_stable_decay, as a share", no_parameters);
  group.refused("lr_scheduler_type", unbound_form(ValueKind::kText, "", "CLASS"),
                "it names a Python class, and no Python runs here; choose with --lr_scheduler");
}

}  // namespace

void add_step_flags(TrainSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Steps and optimizer");
  group.works("max_train_steps", integer_form(settings.max_train_steps, {1, kMostSteps}),
              "optimizer steps; 300 to 2000 is usual for LECO");
  group.refused("max_train_epochs", unbound_form(ValueKind::kInteger),
                "an epoch is a pass over images, and LECO has none; use --max_train_steps");
  group.works_aside(  // what counts is the number of items, pairs_per_step, which is decided and stored
      "gradient_accumulation_steps",
      integer_form(settings.gradient_accumulation_steps, {1, kMostAccumulation}),
      "work items a rank contributes to a step, where pairs_per_step does not say how many a step has");
  group.works("max_grad_norm", number_form(settings.max_grad_norm, {.lowest = 0}),
              "gradients longer than this are scaled down to it; 0 is off");
  group.works("optimizer_type", optimizer_form(), "the optimizer, in upper or lower case");
  group.works("optimizer_args", adamw_form(settings.adamw), "AdamW's betas, eps and weight_decay");
  group.later("use_8bit_adam", unbound_form(ValueKind::kSwitch), "the same as optimizer_type=AdamW8bit",
              "--optimizer_type=AdamW is");
  group.later("use_lion_optimizer", unbound_form(ValueKind::kSwitch), "the same as optimizer_type=Lion",
              "--optimizer_type=AdamW is");
  group.refused(
      "fused_backward_pass", unbound_form(ValueKind::kSwitch),
      "gradients are merged over the ranks and clipped before the update, so the two cannot be one; the "
      "LoRA's gradients are small, leave the flag out");
  add_rate_flags(settings, table);
}

}  // namespace leco
