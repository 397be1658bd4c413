#include "config/named_argument.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

#include "core/nearest_name.h"
#include "core/trimmed.h"

namespace leco {
namespace {

template <typename... Functions>
struct Overloaded : Functions... {
  using Functions::operator()...;
};

// Without one pair of the given marks around it.
std::string_view without(std::string_view text, char open, char close) {
  text = trimmed(text);
  if (text.size() >= 2 && text.front() == open && text.back() == close)
    return trimmed(text.substr(1, text.size() - 2));
  return text;
}

template <typename Number>
bool read_whole(std::string_view text, Number& value) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

bool fits(double value, const NumberLimits& limits) {
  if (std::isnan(value) || (std::isinf(value) && !limits.may_be_infinite)) return false;
  if (limits.above_lowest ? value <= limits.lowest : value < limits.lowest) return false;
  return value < limits.below || (limits.may_be_infinite && std::isinf(limits.below));
}

bool read_number(std::string_view text, const NumberLimits& limits, double& value) {
  return read_whole(trimmed(text), value) && fits(value, limits);
}

bool read_pair(std::string_view text, const NumberLimits& limits, NumberPair& pair) {
  text = without(without(text, '(', ')'), '[', ']');
  const size_t comma = text.find(',');
  return comma != std::string_view::npos && read_number(text.substr(0, comma), limits, pair[0]) &&
         read_number(text.substr(comma + 1), limits, pair[1]);
}

bool read_truth(std::string_view text, bool& value) {
  text = trimmed(text);
  value = text == "True" || text == "true";
  return value || text == "False" || text == "false";
}

bool read_text(std::string_view text, const std::vector<std::string>& words, std::string& value) {
  value = without(without(text, '\'', '\''), '"', '"');
  return words.empty() || std::ranges::find(words, value) != words.end();
}

// False where the text is no value of that kind, or lies outside.
bool set_value(const NamedArgument& argument, std::string_view text) {
  return std::visit(Overloaded{[&](double* target) { return read_number(text, argument.limits, *target); },
                               [&](std::optional<double>* target) {
                                 if (trimmed(text) == "None") return target->reset(), true;
                                 return read_number(text, argument.limits, target->emplace());
                               },
                               [&](NumberPair* target) { return read_pair(text, argument.limits, *target); },
                               [&](int64_t* target) {
                                 return read_whole(trimmed(text), *target) &&
                                        fits(static_cast<double>(*target), argument.limits);
                               },
                               [&](bool* target) { return read_truth(text, *target); },
                               [&](std::string* target) { return read_text(text, argument.words, *target); }},
                    argument.target);
}

std::string number_text(double value) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, value).ptr;
  return {text, end};
}

std::string joined(const std::vector<std::string>& words, const std::string& between) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : between) + word;
  return text;
}

std::string limits_text(const NumberLimits& limits, const std::string& what) {
  std::string text;
  if (!std::isinf(limits.lowest))
    text = (limits.above_lowest ? " above " : " of at least ") + number_text(limits.lowest);
  if (!std::isinf(limits.below))
    text += (text.empty() ? " below " : " and below ") + number_text(limits.below);
  return what + text;
}

std::vector<std::string> names_of(const ArgumentList& list) {
  std::vector<std::string> names;
  for (const NamedArgument& argument : list.arguments) names.push_back(argument.name);
  return names;
}

std::string unknown_argument(const ArgumentList& list, const std::string& name) {
  const std::vector<std::string> names = names_of(list);
  if (names.empty()) return list.owner + " takes no arguments; '" + name + "' is none of it";
  return "one of " + list.owner + "'s arguments, " + joined(names, ", ") + "; '" + name +
         "' is none of them, did you mean " + nearest_name(name, names) + "?";
}

}  // namespace

std::vector<std::string> set_arguments(const ArgumentList& list, std::span<const std::string> words,
                                       const std::function<void(const std::string&)>& refuse) {
  std::vector<std::string> notices;
  for (const std::string& word : words) {
    const size_t equals = word.find('=');
    if (equals == std::string::npos) refuse("name=value for each word; '" + word + "' is not");
    const std::string name(trimmed(std::string_view(word).substr(0, equals)));
    const std::string_view value = std::string_view(word).substr(equals + 1);
    const auto argument = std::ranges::find(list.arguments, name, &NamedArgument::name);
    const auto inert = std::ranges::find(list.inert, name, &InertArgument::name);
    if (argument != list.arguments.end()) {
      if (!set_value(*argument, value)) refuse("for " + name + " " + allowed_values(*argument));
    } else if (inert == list.inert.end()) {
      refuse(unknown_argument(list, name));
    } else if (inert->only.empty()) {
      notices.push_back(name + " has no effect here: " + inert->reason);
    } else if (trimmed(value) != inert->only) {
      refuse("for " + name + " " + inert->only + ": " + inert->reason);
    }
  }
  return notices;
}

std::vector<std::string> argument_words(const ArgumentList& list) {
  std::vector<std::string> words;
  for (const NamedArgument& argument : list.arguments) {
    const std::string value = value_text(argument);
    if (!value.empty() && value != "None") words.push_back(argument.name + "=" + value);
  }
  return words;
}

std::string allowed_values(const NamedArgument& argument) {
  return std::visit(
      Overloaded{
          [&](const double*) { return limits_text(argument.limits, "a number"); },
          [&](const std::optional<double>*) { return limits_text(argument.limits, "None or a number"); },
          [&](const NumberPair*) { return limits_text(argument.limits, "two numbers a,b, each"); },
          [&](const int64_t*) { return limits_text(argument.limits, "an integer"); },
          [&](const bool*) { return std::string("True or False"); },
          [&](const std::string*) {
            return argument.words.empty() ? "a text" : "one of " + joined(argument.words, ", ");
          }},
      argument.target);
}

std::string value_text(const NamedArgument& argument) {
  return std::visit(Overloaded{[](const double* value) { return number_text(*value); },
                               [](const std::optional<double>* value) {
                                 return *value ? number_text(**value) : std::string("None");
                               },
                               [](const NumberPair* value) {
                                 return number_text((*value)[0]) + "," + number_text((*value)[1]);
                               },
                               [](const int64_t* value) { return std::to_string(*value); },
                               [](const bool* value) { return std::string(*value ? "True" : "False"); },
                               [](const std::string* value) { return *value; }},
                    argument.target);
}

}  // namespace leco
