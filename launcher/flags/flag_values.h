// Forms of values: each binds a flag to the variable it fills, with the range that is allowed. A value
// outside its range is a usage error that names the flag, the given value and the range.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "launcher/flags/flag_parser.h"

namespace leco {

struct IntegerRange {
  int64_t lowest = std::numeric_limits<int64_t>::min();
  int64_t highest = std::numeric_limits<int64_t>::max();
};

struct NumberRange {  // always finite
  double lowest = -std::numeric_limits<double>::infinity();
  double below = std::numeric_limits<double>::infinity();   // not included
  double above = -std::numeric_limits<double>::infinity();  // not included
};

Form switch_form(bool& target);
Form integer_form(int64_t& target, IntegerRange range);
Form integer_form(std::optional<int64_t>& target, IntegerRange range,
                  std::string unset);  // `unset`: shown when absent
Form number_form(double& target, NumberRange range);
Form number_form(std::optional<double>& target, NumberRange range, std::string unset);
Form seed_form(std::optional<uint64_t>& target);           // 0 … 2⁶⁴ − 1
Form text_form(std::string& target, std::string metavar);  // valid UTF-8, since files and metadata carry it

// One of some words, by its place among them.
Form word_form(ValueKind kind, std::vector<std::string> words,
               std::pair<std::function<void(size_t)>, std::function<size_t()>> access);

// A word for each value of an enumeration.
template <typename Enumeration>
Form choice_form(Enumeration& target, const std::vector<std::pair<std::string, Enumeration>>& words) {
  std::vector<std::string> names;
  std::vector<Enumeration> values;
  for (const auto& [name, value] : words) {
    names.push_back(name);
    values.push_back(value);
  }
  auto store = [&target, values](size_t index) { target = values[index]; };
  auto load = [&target, values] {
    return static_cast<size_t>(std::ranges::find(values, target) - values.begin());
  };
  return word_form(ValueKind::kText, std::move(names), {store, load});
}

// One of some whole numbers.
Form integer_choice_form(int64_t& target, std::vector<int64_t> values);

// Nothing to store: this version takes one value only.
Form only_form(ValueKind kind, std::string value);

// A switch that is on in any case; switched off, it shows `why_always`.
Form always_on_form(std::string why_always);

// For flags that do not work here: the kind of value that other tools take, and their default.
Form unbound_form(ValueKind kind, std::string default_text = "", std::string metavar = "");

// The checks behind the forms, for values with parts.
double number_in(const Given& given, std::string_view word, NumberRange range);
std::string number_text(double value);  // the shortest that reads back as the same double

}  // namespace leco
