#include "config/sample_options.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <span>

#include "config/config_node.h"
#include "core/error.h"
#include "core/nearest_name.h"

namespace leco {
namespace {

using Kind = SampleOption::Kind;

constexpr uint64_t kMostPixels = 16384;  // a side; a model's limit is far below

struct Unfit {};  // thrown by the setters below, caught in set_option()

const std::string& text(const OptionValue& value) {
  const auto* given = std::get_if<std::string>(&value);
  if (given == nullptr) throw Unfit();
  return *given;
}

uint64_t whole(const OptionValue& value, uint64_t least, uint64_t most) {
  const auto* given = std::get_if<uint64_t>(&value);
  if (given == nullptr || *given < least || *given > most) throw Unfit();
  return *given;
}

double finite(double value) {
  if (!std::isfinite(static_cast<float>(value))) throw Unfit();
  return value;
}

double number(const OptionValue& value) {
  if (const auto* given = std::get_if<uint64_t>(&value)) return finite(static_cast<double>(*given));
  if (const auto* given = std::get_if<double>(&value)) return finite(*given);
  throw Unfit();
}

std::vector<double> numbers(const OptionValue& value) {
  const auto* list = std::get_if<std::vector<double>>(&value);
  if (list == nullptr) return {number(value)};
  if (list->empty()) throw Unfit();
  for (const double element : *list) finite(element);
  return *list;
}

int64_t pixels(const OptionValue& value) {
  const uint64_t given = whole(value, 8, kMostPixels);
  if (given % 8 != 0) throw Unfit();
  return static_cast<int64_t>(given);
}

constexpr std::string_view kPixels = "a multiple of 8, in pixels";

constexpr SampleOption kOptions[] = {
    {"n", "negative_prompt", Kind::kText,
     [](SamplePrompt& to, const OptionValue& v) { to.negative_prompt = text(v); }, "a text"},
    {"w", "width", Kind::kInteger, [](SamplePrompt& to, const OptionValue& v) { to.width = pixels(v); },
     kPixels},
    {"h", "height", Kind::kInteger, [](SamplePrompt& to, const OptionValue& v) { to.height = pixels(v); },
     kPixels},
    {"d", "seed", Kind::kInteger,
     [](SamplePrompt& to, const OptionValue& v) { to.seed = whole(v, 0, UINT64_MAX); },
     "a whole number from 0"},
    {"s", "sample_steps", Kind::kInteger,
     [](SamplePrompt& to, const OptionValue& v) {
       to.sample_steps = static_cast<int64_t>(whole(v, 1, 1000));
     },
     "a whole number from 1 to 1000"},
    {"l", "scale", Kind::kNumber,
     [](SamplePrompt& to, const OptionValue& v) { to.guidance_scale = number(v); },
     "a number, the guidance scale"},
    {"ss", "sample_sampler", Kind::kText,
     [](SamplePrompt& to, const OptionValue& v) { to.sample_sampler = text(v); }, "a sampler's name"},
    {"m", "multiplier", Kind::kNumbers,
     [](SamplePrompt& to, const OptionValue& v) { to.multipliers = numbers(v); },
     "the LoRA's scale, a number or a list such as -1,0,1"},
};

struct Refused {
  std::string_view letters, key, reason;
};
constexpr Refused kRefused[] = {
    {"g", "guidance_scale",
     "is the guidance that distilled models are told; guidance here is --l, in tables 'scale'"},
    {"cn", "controlnet_image", "names a picture for ControlNet, which is not part of this program"},
};

std::string listing(std::string_view SampleOption::*name, std::string_view before) {
  std::string list;
  for (const SampleOption& option : kOptions)
    list += fmt::format("{}{}{}", list.empty() ? "" : " ", before, option.*name);
  return list;
}

}  // namespace

const SampleOption* option_of_line(std::string_view letters) {
  const auto* found = std::ranges::find(kOptions, letters, &SampleOption::letters);
  return found == std::end(kOptions) ? nullptr : found;
}

const SampleOption* option_of_table(std::string_view key) {
  const auto* found = std::ranges::find(kOptions, key, &SampleOption::key);
  return found == std::end(kOptions) ? nullptr : found;
}

std::string why_not_in_line(std::string_view letters) {
  for (const Refused& refused : kRefused)
    if (refused.letters == letters) return fmt::format("--{} {}", letters, refused.reason);
  return fmt::format("unknown option '--{}'; known are {}", shown(std::string(letters)),
                     listing(&SampleOption::letters, "--"));
}

std::string why_not_in_table(std::string_view key) {
  for (const Refused& refused : kRefused)
    if (refused.key == key) return fmt::format("'{}' {}", key, refused.reason);
  std::vector<std::string> known = {"prompt"};
  for (const SampleOption& option : kOptions) known.emplace_back(option.key);
  return fmt::format("unknown key '{}'; the nearest known key is '{}'", shown(std::string(key)),
                     nearest_name(key, known));
}

bool set_option(SamplePrompt& prompt, const SampleOption& option, const OptionValue& value) {
  try {
    option.set(prompt, value);
  } catch (const Unfit&) {
    return false;
  }
  return true;
}

void fail_in(const std::string& place, const std::string& what) {
  throw_usage(fmt::format("{}: {}", place, what));
}

}  // namespace leco
