#include "launcher/flags/flag_parser.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <optional>

#include "core/error.h"
#include "core/nearest_name.h"

namespace leco {
namespace {

const Flag& known_flag(std::span<const Flag> table, const std::string& name) {
  if (const Flag* flag = find_flag(table, name)) return *flag;
  throw_usage(fmt::format("unknown flag --{}; did you mean --{}? (--help lists all flags)", one_line(name),
                          suggest_flag(table, name)));
}

[[noreturn]] void throw_stray(const std::string& word, const Given* before) {
  if (before != nullptr && before->kind == ValueKind::kSwitch) {
    throw_usage(fmt::format("stray word '{}': --{} takes no value; write --{} or --{}=false", word,
                            before->name, before->name, before->name));
  }
  throw_usage(
      fmt::format("stray word '{}': flags are written --name=value or --name value; a value with spaces "
                  "needs quotes",
                  word));
}

bool starts_flag(const std::string& word) {
  return word.starts_with("--") || word == "-h";
}

// Takes the words that follow a flag written without '='; returns how many.
size_t take_following(Given& given, std::span<const std::string> following) {
  if (given.kind == ValueKind::kSwitch) {
    given.words = {"true"};
    return 0;
  }
  const size_t most =
      given.kind == ValueKind::kWords ? following.size() : std::min<size_t>(following.size(), 1);
  size_t count = 0;
  while (count < most && !starts_flag(following[count])) ++count;
  given.words.assign(following.begin(), following.begin() + static_cast<std::ptrdiff_t>(count));
  if (count == 0 && given.kind != ValueKind::kWords) {
    throw_usage(fmt::format("--{} needs a value: --{}=…", given.name, given.name));
  }
  return count;
}

std::optional<double> as_number(const std::string& word) {
  double value = 0;
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (failure != std::errc() || end != word.data() + word.size()) return std::nullopt;
  return value;
}

bool asks_for_nothing(const Flag& flag, const Given& given) {
  const std::string wanted = flag.form.show();
  if (given.words.empty()) return wanted.empty();
  if (given.words.size() > 1) return false;
  const auto number = as_number(given.word());
  return given.word() == wanted || (number && number == as_number(wanted));
}

// The line to show the user; empty for none.
std::string apply(const Flag& flag, const Given& given) {
  if (given.kind == ValueKind::kSwitch && given.word() != "true" && given.word() != "false") {
    refuse_value(given, "true or false, or the flag alone");
  }
  if (flag.status == FlagStatus::kWorks) return flag.form.set(given);
  if (asks_for_nothing(flag, given)) return "";
  Given shown = given;
  if (flag.is_secret) shown.words = {"…"};
  if (flag.status == FlagStatus::kRefused)
    throw_usage(fmt::format("{} is refused: {}", shown.text(), flag.reason));
  flag.form.set(given);
  return fmt::format("{} has no effect here: {}", shown.text(), flag.reason);
}

}  // namespace

std::string Given::text() const {
  const std::string value = one_line(fmt::format("{}", fmt::join(words, " ")));
  if (!place.empty()) return fmt::format("{}: '{} = {}'", place, name, value);
  if (kind == ValueKind::kSwitch && value == "true") return "--" + name;
  return fmt::format("--{}{}{}", name, kind == ValueKind::kWords ? " " : "=", value);
}

std::string one_line(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return text;
}

void refuse_value(const Given& given, std::string_view allowed) {
  throw_usage(fmt::format("{}: expected {}", given.text(), allowed));
}

std::vector<Given> parse_arguments(std::span<const Flag> table, std::span<const std::string> arguments,
                                   std::vector<std::string>* positionals) {
  std::vector<Given> all;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string word = arguments[i] == "-h" ? "--help" : arguments[i];
    if (!word.starts_with("--") || word == "--") {
      if (positionals == nullptr) throw_stray(word, all.empty() ? nullptr : &all.back());
      positionals->push_back(word);
      continue;
    }
    const size_t equals = word.find('=');
    const Flag& flag = known_flag(table, word.substr(2, equals == std::string::npos ? equals : equals - 2));
    Given given{.name = flag.name, .kind = flag.form.kind, .words = {}, .place = {}};
    if (equals != std::string::npos) {
      given.words = {word.substr(equals + 1)};
    } else {
      i += take_following(given, arguments.subspan(i + 1));
    }
    all.push_back(std::move(given));
  }
  return all;
}

std::vector<std::string> apply_flags(std::span<const Flag> table, std::span<const Given> given) {
  std::vector<std::string> lines;
  for (const Flag& flag : table) {
    const Given* last = find_given(given, flag.name);
    if (last == nullptr) continue;
    if (std::string line = apply(flag, *last); !line.empty()) lines.push_back(std::move(line));
  }
  return lines;
}

const Flag* find_flag(std::span<const Flag> table, std::string_view name) {
  const auto found = std::ranges::find(table, name, &Flag::name);
  return found == table.end() ? nullptr : &*found;
}

const Given* find_given(std::span<const Given> given, std::string_view name) {
  for (size_t i = given.size(); i > 0; --i) {
    if (given[i - 1].name == name) return &given[i - 1];
  }
  return nullptr;
}

std::string suggest_flag(std::span<const Flag> table, std::string_view mistyped) {
  std::vector<std::string> names;
  for (const Flag& flag : table) names.push_back(flag.name);
  const auto longer =
      std::ranges::find_if(names, [&](const auto& name) { return name.starts_with(mistyped); });
  if (!mistyped.empty() && longer != names.end()) return *longer;
  return nearest_name(mistyped, names);
}

}  // namespace leco
