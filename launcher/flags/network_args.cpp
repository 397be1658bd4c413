#include "launcher/flags/network_args.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "core/error.h"
#include "core/nearest_name.h"
#include "launcher/flags/flag_values.h"

namespace leco {
namespace {

constexpr int64_t kWidestLayer = 16384;  // as --network_dim
constexpr double kGreatestFactor = 1e6;  // of a learning rate
const std::vector<std::string> kPresets = {"cosine", "sine", "linear", "reverse_linear", "zeros"};
const std::vector<std::pair<std::string, TrainMethod>> kMethods = {
    {"full", TrainMethod::kFull},
    {"xattn", TrainMethod::kXattn},
    {"xattn-strict", TrainMethod::kXattnStrict},
    {"selfattn", TrainMethod::kSelfattn},
    {"noxattn", TrainMethod::kNoxattn}};
constexpr NumberRange kShare = {.lowest = 0, .below = 1};
constexpr NumberRange kFactor = {.lowest = 0, .below = kGreatestFactor};

// One NAME=VALUE as the user wrote it, for messages.
struct Word {
  const Given& given;
  std::string name, value;

  [[noreturn]] void refuse(const std::string& allowed) const {
    throw_usage(
        fmt::format("{}: {}={}: expected {}", given.text(), one_line(name), one_line(value), allowed));
  }
  double number(NumberRange range) const { return number_of(value, range); }
  double number_of(const std::string& text, NumberRange range) const {
    return number_in(as_given(text, ValueKind::kNumber), text, range);
  }
  int64_t integer_of(const std::string& text, IntegerRange range) const {
    int64_t number = 0;
    integer_form(number, range).set(as_given(text, ValueKind::kInteger));
    return number;
  }
  std::vector<std::string> parts() const {
    std::vector<std::string> list(1);
    for (const char c : value) {
      if (c == ',')
        list.emplace_back();
      else if (c != ' ')
        list.back() += c;
    }
    return list;
  }

 private:
  // A value, or a part of one, for the checks of the forms: they name it and where it stands.
  Given as_given(const std::string& text, ValueKind kind) const {
    const std::string place = given.place.empty() ? "--network_args" : given.place + ", network_args";
    return {.name = name, .kind = kind, .words = {text}, .place = place};
  }
};

// One argument: how it is set from its value, and how what is set is shown (empty where nothing is).
struct Argument {
  std::string name;
  std::function<void(const Word&)> set;
  std::function<std::string()> show;
};

std::string shown(const std::optional<double>& value) {
  return value ? number_text(*value) : "";
}

Argument factor_argument(std::string name, std::optional<double>& target, NumberRange range) {
  return {std::move(name), [&target, range](const Word& word) { target = word.number(range); },
          [&target] { return shown(target); }};
}

// 0 is off and not shown.
Argument share_argument(std::string name, double& target) {
  return {std::move(name), [&target](const Word& word) { target = word.number(kShare); },
          [&target] { return target == 0 ? "" : number_text(target); }};
}

Argument ranks_argument(std::string name, std::vector<int64_t>& target) {
  return {std::move(name),
          [&target](const Word& word) {
            target.clear();
            for (const std::string& part : word.parts())
              target.push_back(word.integer_of(part, {.lowest = 0, .highest = kWidestLayer}));
          },
          [&target] { return fmt::format("{}", fmt::join(target, ",")); }};
}

Argument alphas_argument(std::string name, std::vector<double>& target) {
  return {std::move(name),
          [&target](const Word& word) {
            target.clear();
            for (const std::string& part : word.parts())
              target.push_back(word.number_of(part, {.lowest = 0}));
          },
          [&target] { return fmt::format("{}", fmt::join(target, ",")); }};
}

void set_preset(const Word& word, BlockWeights& weights) {
  const size_t plus = word.value.find('+');
  weights.preset = word.value.substr(0, plus);
  if (std::ranges::find(kPresets, weights.preset) == kPresets.end())
    word.refuse(fmt::format("numbers with commas between them, or one of {}, each also as NAME+NUMBER",
                            fmt::join(kPresets, ", ")));
  if (plus != std::string::npos) weights.base = word.number_of(word.value.substr(plus + 1), kFactor);
}

// sd-scripts reads a list by its commas; an empty place in it is 0. In the middle there are no presets.
Argument weights_argument(std::string name, BlockWeights& target, bool presets) {
  return {std::move(name),
          [&target, presets](const Word& word) {
            target = {};
            if (presets && word.value.find(',') == std::string::npos) return set_preset(word, target);
            for (const std::string& part : word.parts())
              target.list.push_back(part.empty() ? 0.0 : word.number_of(part, kFactor));
          },
          [&target] {
            if (target.preset.empty()) return fmt::format("{}", fmt::join(target.list, ","));
            return target.base == 0 ? target.preset : fmt::format("{}+{}", target.preset, target.base);
          }};
}

Argument conv_dim_argument(std::optional<int64_t>& target) {
  return {"conv_dim",
          [&target](const Word& word) {
            target = word.integer_of(word.value, {.lowest = 1, .highest = kWidestLayer});
          },
          [&target] { return target ? std::to_string(*target) : ""; }};
}

Argument method_argument(TrainMethod& target) {
  return {"train_method",
          [&target](const Word& word) {
            const auto found =
                std::ranges::find(kMethods, word.value, &std::pair<std::string, TrainMethod>::first);
            if (found == kMethods.end()) {
              std::vector<std::string> names;
              for (const auto& [name, method] : kMethods) names.push_back(name);
              word.refuse(fmt::format("one of {}", fmt::join(names, ", ")));
            }
            target = found->second;
          },
          [&target] {
            const auto found =
                std::ranges::find(kMethods, target, &std::pair<std::string, TrainMethod>::second);
            return target == TrainMethod::kFull ? "" : found->first;
          }};
}

// What has no flag of its own in NetworkArgs.
struct Aside {
  std::optional<double> dropout, text_encoder_ratio;
};

std::vector<Argument> arguments_of(NetworkArgs& args, Aside& aside) {
  return {factor_argument("dropout", aside.dropout, kShare),
          conv_dim_argument(args.conv_dim),
          factor_argument("conv_alpha", args.conv_alpha, {.lowest = 0}),
          share_argument("rank_dropout", args.rank_dropout),
          share_argument("module_dropout", args.module_dropout),
          ranks_argument("block_dims", args.block_dims),
          alphas_argument("block_alphas", args.block_alphas),
          ranks_argument("conv_block_dims", args.conv_block_dims),
          alphas_argument("conv_block_alphas", args.conv_block_alphas),
          weights_argument("down_lr_weight", args.down_lr_weight, /*presets=*/true),
          weights_argument("mid_lr_weight", args.mid_lr_weight, /*presets=*/false),
          weights_argument("up_lr_weight", args.up_lr_weight, /*presets=*/true),
          {"block_lr_zero_threshold",
           [&args](const Word& word) { args.block_lr_zero_threshold = word.number(kFactor); },
           [&args] {
             return args.block_lr_zero_threshold == 0 ? "" : number_text(args.block_lr_zero_threshold);
           }},
          factor_argument("loraplus_lr_ratio", args.loraplus_lr_ratio, kFactor),
          factor_argument("loraplus_unet_lr_ratio", args.loraplus_unet_lr_ratio, kFactor),
          factor_argument("loraplus_text_encoder_lr_ratio", aside.text_encoder_ratio, kFactor),
          method_argument(args.train_method)};
}

void set_word(const Given& given, const std::string& text, std::span<const Argument> arguments) {
  const size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  const auto argument = std::ranges::find(arguments, name, &Argument::name);
  if (argument == arguments.end()) {
    std::vector<std::string> names;
    for (const Argument& each : arguments) names.push_back(each.name);
    throw_usage(fmt::format("{}: '{}' is none of the arguments; did you mean {}? All: {}", given.text(),
                            one_line(name), nearest_name(name, names), fmt::join(names, ", ")));
  }
  if (equals == std::string::npos)
    refuse_value(given, fmt::format("name=value for each word; '{}' is not", one_line(text)));
  argument->set({given, name, text.substr(equals + 1)});
}

void refuse_contradictions(const Given& given, const NetworkArgs& args) {
  const auto refuse = [&](const std::string& why) { throw_usage(fmt::format("{}: {}", given.text(), why)); };
  const bool attention_only =
      args.train_method != TrainMethod::kFull && args.train_method != TrainMethod::kNoxattn;
  if (attention_only && args.adapts_convolutions())
    refuse(
        "conv_dim contradicts a train_method of attention layers alone; take full or noxattn, or leave it "
        "out");
  if (args.conv_alpha && !args.adapts_convolutions()) refuse("conv_alpha needs conv_dim or conv_block_dims");
  if (!args.conv_block_alphas.empty() && args.conv_block_dims.empty())
    refuse("conv_block_alphas needs conv_block_dims");
  if (args.block_lr_zero_threshold > 0 && !args.weighs_blocks())
    refuse("block_lr_zero_threshold needs down_lr_weight, mid_lr_weight or up_lr_weight");
  if (args.loraplus_lr_ratio && args.loraplus_unet_lr_ratio &&
      *args.loraplus_lr_ratio != *args.loraplus_unet_lr_ratio)
    refuse("loraplus_lr_ratio and loraplus_unet_lr_ratio are the same here, where only the U-Net is trained");
}

std::string set_all(const Given& given, TrainSettings& settings) {
  NetworkArgs args;
  Aside aside;
  const std::vector<Argument> arguments = arguments_of(args, aside);
  for (const std::string& word : given.words)
    if (!word.empty()) set_word(given, word, arguments);  // an empty one is how scripts give none
  refuse_contradictions(given, args);
  if (aside.dropout) {
    if (settings.network_dropout != 0 && settings.network_dropout != *aside.dropout)
      throw_usage(
          fmt::format("{}: dropout contradicts --network_dropout={}, which is the same; give one of them",
                      given.text(), settings.network_dropout));
    settings.network_dropout = *aside.dropout;
  }
  settings.network_args = args;
  if (!aside.text_encoder_ratio) return "";
  return fmt::format("{}: loraplus_text_encoder_lr_ratio has no effect here: only the U-Net is trained",
                     given.text());
}

// The settings that --dim_from_weights takes from the file.
std::string given_shapes(const NetworkArgs& args) {
  std::vector<std::string> names;
  if (args.train_method != TrainMethod::kFull) names.push_back("train_method");
  if (args.conv_dim) names.push_back("conv_dim");
  if (args.conv_alpha) names.push_back("conv_alpha");
  if (!args.block_dims.empty()) names.push_back("block_dims");
  if (!args.block_alphas.empty()) names.push_back("block_alphas");
  if (!args.conv_block_dims.empty()) names.push_back("conv_block_dims");
  if (!args.conv_block_alphas.empty()) names.push_back("conv_block_alphas");
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Form network_args_form(TrainSettings& settings) {
  Form form = unbound_form(ValueKind::kWords, "", "NAME=VALUE …");
  form.set = [&settings](const Given& given) { return set_all(given, settings); };
  form.show = [&settings] {
    NetworkArgs args = settings.network_args;
    Aside aside;
    std::vector<std::string> words;
    for (const Argument& argument : arguments_of(args, aside))
      if (const std::string value = argument.show(); !value.empty())
        words.push_back(argument.name + "=" + value);
    return fmt::format("{}", fmt::join(words, " "));
  };
  return form;
}

void validate_network(const TrainSettings& settings) {
  if (!settings.dim_from_weights) return;
  if (settings.network_weights.empty())
    throw_usage("--dim_from_weights needs --network_weights=FILE, the file that the ranks are taken from");
  if (const std::string shapes = given_shapes(settings.network_args); !shapes.empty())
    throw_usage(
        fmt::format("--dim_from_weights takes modules, ranks and alphas from '{}', which contradicts {} in "
                    "--network_args; leave one of them out",
                    settings.network_weights, shapes));
}

std::vector<std::string> network_notices(const TrainSettings& settings) {
  const TrainSettings defaults;
  const NetworkArgs& args = settings.network_args;
  std::vector<std::string> notices;
  if (settings.dim_from_weights &&
      (settings.network_dim != defaults.network_dim || settings.network_alpha != defaults.network_alpha))
    notices.push_back(
        fmt::format("--network_dim={} and --network_alpha={} have no effect here: --dim_from_weights takes "
                    "ranks and alphas from the file",
                    settings.network_dim, settings.network_alpha));
  if (args.conv_dim && !args.conv_block_dims.empty())
    notices.push_back(fmt::format(
        "--network_args conv_dim={} has no effect here: conv_block_dims says each block's", *args.conv_dim));
  return notices;
}

}  // namespace leco
