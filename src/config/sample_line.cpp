// The lines of a sample-prompt file: "a cat --n dog --w 512".
#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <set>

#include "config/config_node.h"
#include "config/sample_options.h"
#include "core/trimmed.h"

namespace leco {
namespace {

// Where the next option begins: "--" behind a blank, or at the very start.
size_t next_option(std::string_view line, size_t from) {
  for (size_t at = line.find("--", from); at != std::string_view::npos; at = line.find("--", at + 1))
    if (at == 0 || kBlanks.find(line[at - 1]) != std::string_view::npos) return at;
  return line.size();
}

template <class Number>
bool read_number(std::string_view word, Number& value) {
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  return error == std::errc() && end == word.data() + word.size();
}

// What is no number stays text, and the option refuses it.
OptionValue typed(std::string_view word, SampleOption::Kind kind) {
  uint64_t whole;
  double number;
  if (kind == SampleOption::Kind::kText) return std::string(word);
  if (read_number(word, whole)) return whole;
  if (kind == SampleOption::Kind::kInteger) return std::string(word);
  if (read_number(word, number)) return number;
  if (kind == SampleOption::Kind::kNumber) return std::string(word);
  std::vector<double> list;
  for (std::string_view rest = word; !rest.empty();) {
    const size_t comma = std::min(rest.find(','), rest.size());
    if (!read_number(trimmed(rest.substr(0, comma)), number)) return std::string(word);
    list.push_back(number);
    if (comma + 1 == rest.size()) return std::string(word);  // nothing behind the last comma
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  return list;
}

}  // namespace

SamplePrompt parse_sample_line(std::string_view line, const std::string& place) {
  size_t at = next_option(line, 0);
  SamplePrompt found{.prompt = std::string(trimmed(line.substr(0, at))), .place = place};
  std::set<std::string> seen;
  while (at < line.size()) {
    const size_t end = next_option(line, at + 2);
    const std::string_view part = line.substr(at + 2, end - at - 2);
    const size_t name_end = std::min(part.find_first_of(kBlanks), part.size());
    std::string name(part.substr(0, name_end));
    std::ranges::transform(name, name.begin(),
                           [](unsigned char c) { return std::tolower(c); });  // as sd-scripts
    const std::string_view value = trimmed(part.substr(name_end));
    const SampleOption* option = option_of_line(name);
    if (option == nullptr) fail_in(place, why_not_in_line(name));
    if (!seen.insert(name).second) fail_in(place, fmt::format("--{} is given twice", name));
    if (value.empty()) fail_in(place, fmt::format("--{} has no value; it must be {}", name, option->wanted));
    if (!set_option(found, *option, typed(value, option->kind)))
      fail_in(place,
              fmt::format("--{} must be {}, not '{}'", name, option->wanted, shown(std::string(value))));
    at = end;
  }
  return found;
}

}  // namespace leco
