#include "launcher/flags/flag_values.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <cmath>

#include "core/error.h"
#include "core/utf8.h"

namespace leco {
namespace {

template <typename Number>
std::optional<Number> whole_word(std::string_view word) {
  Number value{};
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (failure != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

std::string range_text(IntegerRange range) {
  const bool open_below = range.lowest == std::numeric_limits<int64_t>::min();
  const bool open_above = range.highest == std::numeric_limits<int64_t>::max();
  if (open_below && open_above) return "an integer";
  if (open_above) return fmt::format("an integer of at least {}", range.lowest);
  return fmt::format("an integer from {} to {}", range.lowest, range.highest);
}

std::string range_text(NumberRange range) {
  const bool open_below = std::isinf(range.lowest);
  const bool open_above = std::isinf(range.below);
  if (!std::isinf(range.above)) return fmt::format("a finite number above {}", range.above);
  if (open_below && open_above) return "a finite number";
  if (open_above) return fmt::format("a finite number of at least {}", range.lowest);
  return fmt::format("a number of at least {} and below {}", range.lowest, range.below);
}

int64_t integer_in(const Given& given, IntegerRange range) {
  const auto value = whole_word<int64_t>(given.word());
  if (!value || *value < range.lowest || *value > range.highest) refuse_value(given, range_text(range));
  return *value;
}

Form with_kind(ValueKind kind, std::string metavar) {
  Form form;
  form.kind = kind;
  form.metavar = std::move(metavar);
  return form;
}

}  // namespace

Form switch_form(bool& target) {
  Form form = with_kind(ValueKind::kSwitch, "");
  form.set = [&target](const Given& given) {
    target = given.word() == "true";
    return std::string();
  };
  form.show = [&target] { return std::string(target ? "true" : "false"); };
  return form;
}

Form integer_form(int64_t& target, IntegerRange range) {
  Form form = with_kind(ValueKind::kInteger, "N");
  form.set = [&target, range](const Given& given) {
    target = integer_in(given, range);
    return std::string();
  };
  form.show = [&target] { return std::to_string(target); };
  return form;
}

Form integer_form(std::optional<int64_t>& target, IntegerRange range, std::string unset) {
  Form form = with_kind(ValueKind::kInteger, "N");
  form.set = [&target, range](const Given& given) {
    target = integer_in(given, range);
    return std::string();
  };
  form.show = [&target, unset] { return target ? std::to_string(*target) : unset; };
  return form;
}

Form number_form(double& target, NumberRange range) {
  Form form = with_kind(ValueKind::kNumber, "X");
  form.set = [&target, range](const Given& given) {
    target = number_in(given, given.word(), range);
    return std::string();
  };
  form.show = [&target] { return number_text(target); };
  return form;
}

Form number_form(std::optional<double>& target, NumberRange range, std::string unset) {
  Form form = with_kind(ValueKind::kNumber, "X");
  form.set = [&target, range](const Given& given) {
    target = number_in(given, given.word(), range);
    return std::string();
  };
  form.show = [&target, unset] { return target ? number_text(*target) : unset; };
  return form;
}

Form seed_form(std::optional<uint64_t>& target) {
  Form form = with_kind(ValueKind::kInteger, "N");
  form.set = [&target](const Given& given) {
    target = whole_word<uint64_t>(given.word());
    if (!target)
      refuse_value(given, fmt::format("an integer from 0 to {}", std::numeric_limits<uint64_t>::max()));
    return std::string();
  };
  form.show = [&target] { return target ? std::to_string(*target) : std::string("random"); };
  return form;
}

Form text_form(std::string& target, std::string metavar) {
  Form form = with_kind(ValueKind::kText, std::move(metavar));
  form.set = [&target](const Given& given) {
    if (!is_utf8(given.word()) || given.word().find('\0') != std::string::npos) {
      throw_usage(fmt::format("--{}: the text is not valid UTF-8 without zero bytes", given.name));
    }
    target = given.word();
    return std::string();
  };
  form.show = [&target] { return target; };
  return form;
}

Form word_form(ValueKind kind, std::vector<std::string> words,
               std::pair<std::function<void(size_t)>, std::function<size_t()>> access) {
  Form form = with_kind(kind, fmt::format("{}", fmt::join(words, "|")));
  form.choices = words;
  form.set = [=, store = access.first](const Given& given) {
    const auto index = static_cast<size_t>(std::ranges::find(words, given.word()) - words.begin());
    if (index < words.size()) {
      store(index);
      return std::string();
    }
    refuse_value(given, fmt::format("{}{}", words.size() == 1 ? "" : "one of ", fmt::join(words, ", ")));
  };
  form.show = [words, load = access.second] { return words.at(load()); };
  return form;
}

Form integer_choice_form(int64_t& target, std::vector<int64_t> values) {
  std::vector<std::string> words;
  for (const int64_t value : values) words.push_back(std::to_string(value));
  auto store = [&target, values](size_t index) { target = values[index]; };
  auto load = [&target, values] {
    return static_cast<size_t>(std::ranges::find(values, target) - values.begin());
  };
  return word_form(ValueKind::kInteger, std::move(words), {store, load});
}

Form only_form(ValueKind kind, std::string value) {
  return word_form(kind, {std::move(value)}, {[](size_t) {}, [] { return size_t{0}; }});
}

Form always_on_form(std::string why_always) {
  Form form = with_kind(ValueKind::kSwitch, "");
  form.set = [why_always](const Given& given) {
    return given.word() == "true" ? "" : fmt::format("{} has no effect here: {}", given.text(), why_always);
  };
  form.show = [] { return std::string("true"); };
  return form;
}

Form unbound_form(ValueKind kind, std::string default_text, std::string metavar) {
  const bool is_number = kind == ValueKind::kInteger || kind == ValueKind::kNumber;
  if (metavar.empty() && kind != ValueKind::kSwitch)
    metavar = kind == ValueKind::kInteger ? "N" : is_number ? "X" : "…";
  if (kind == ValueKind::kSwitch && default_text.empty()) default_text = "false";
  Form form = with_kind(kind, std::move(metavar));
  form.set = [kind](const Given& given) {
    if (kind == ValueKind::kInteger) integer_in(given, {});
    if (kind == ValueKind::kNumber) number_in(given, given.word(), {});
    return std::string();
  };
  form.show = [default_text] { return default_text; };
  return form;
}

double number_in(const Given& given, std::string_view word, NumberRange range) {
  const auto value = whole_word<double>(word);
  if (!value || !std::isfinite(*value) || *value < range.lowest || *value <= range.above ||
      *value >= range.below) {
    refuse_value(given, range_text(range));
  }
  return *value;
}

std::string number_text(double value) {
  return fmt::format("{}", value);
}

}  // namespace leco
