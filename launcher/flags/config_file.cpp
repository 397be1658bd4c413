#include "launcher/flags/config_file.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>

#include "config/toml_reader.h"
#include "config/toml_text.h"
#include "launcher/flags/flag_values.h"

namespace leco {
namespace {

template <typename Number>
std::optional<Number> number_of(std::string_view word) {
  Number value{};
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  return failure == std::errc() && end == word.data() + word.size() ? std::optional(value) : std::nullopt;
}

// A seed that TOML's integers, which end at 2⁶³ − 1, do not hold. It stands in quotes.
bool is_large_integer(std::string_view word) {
  return number_of<uint64_t>(word) && !number_of<int64_t>(word);
}

std::string_view wanted_type(ValueKind kind) {
  switch (kind) {
    case ValueKind::kSwitch:
      return "true or false";
    case ValueKind::kInteger:
      return "an integer";
    case ValueKind::kNumber:
      return "a number";
    case ValueKind::kText:
      return "a string in quotes";
    case ValueKind::kWords:
      return "a list of strings";
  }
  return "";
}

// The words that stand for the value on a command line; nothing for a wrong type.
std::optional<std::vector<std::string>> words_of(const ConfigNode& node, ValueKind kind) {
  using Words = std::vector<std::string>;
  using Kind = ConfigNode::Kind;
  if (kind == ValueKind::kSwitch && node.is(Kind::kFlag)) return Words{node.flag ? "true" : "false"};
  const bool takes_integer = kind == ValueKind::kInteger || kind == ValueKind::kNumber;
  if (takes_integer && node.is(Kind::kInteger)) return Words{std::to_string(node.integer)};
  if (kind == ValueKind::kInteger && node.is(Kind::kText) && is_large_integer(node.text))
    return Words{node.text};
  if (kind == ValueKind::kNumber && node.is(Kind::kNumber)) return Words{number_text(node.number)};
  if (kind == ValueKind::kText && node.is(Kind::kText)) return Words{node.text};
  if (kind != ValueKind::kWords || !node.is(Kind::kList)) return std::nullopt;
  Words words;
  for (const ConfigNode& element : node.list) {
    if (!element.is(Kind::kText)) return std::nullopt;
    words.push_back(element.text);
  }
  return words;
}

class ConfigFile {
 public:
  ConfigFile(std::string path, std::span<const Flag> table) : path_(std::move(path)), table_(table) {}

  void add(const ConfigEntry& entry) {
    Given given = given_by(entry, path_, table_);
    if (const Given* other = find_given(given_, entry.key)) {
      fail_at(path_, entry.line,
              fmt::format("'{}' is set twice; the other is in {}", entry.key, other->place));
    }
    given_.push_back(std::move(given));
  }

  std::vector<Given> take() { return std::move(given_); }

 private:
  std::string path_;
  std::span<const Flag> table_;
  std::vector<Given> given_;
};

std::string toml_value(const Flag& flag, const Given& given) {
  switch (given.kind) {
    case ValueKind::kSwitch:
      return given.word();
    case ValueKind::kInteger:
      return is_large_integer(given.word()) ? toml_string(given.word()) : given.word();
    case ValueKind::kNumber:  // "10%" is known to the flag itself
      if (const auto number = number_of<double>(given.word())) return number_text(*number);
      return flag.form.show();
    case ValueKind::kText:
      return toml_string(given.word());
    case ValueKind::kWords: {
      std::vector<std::string> words;
      for (const std::string& word : given.words) words.push_back(toml_string(word));
      return fmt::format("[{}]", fmt::join(words, ", "));
    }
  }
  return "";
}

}  // namespace

Given given_by(const ConfigEntry& entry, const std::string& path, std::span<const Flag> table) {
  const auto& [key, line, node] = entry;
  const Flag* flag = find_flag(table, key);
  if (flag == nullptr) {
    fail_at(path, line,
            fmt::format("unknown key '{}'; did you mean '{}'?", one_line(key), suggest_flag(table, key)));
  }
  if (!flag->is_setting) {
    fail_at(path, line, fmt::format("'{}' belongs on the command line, not into a file of flags", key));
  }
  auto words = words_of(node, flag->form.kind);
  if (!words) {
    fail_at(path, line,
            fmt::format("'{}' is {}; expected {}", key, describe(node), wanted_type(flag->form.kind)));
  }
  return {key, flag->form.kind, std::move(*words), fmt::format("{}, line {}", path, line)};
}

std::string config_path_of(const std::string& path) {
  return path.ends_with(".toml") ? path : path + ".toml";
}

std::string config_file_text(std::span<const Flag> table, std::span<const Given> given) {
  std::string text, group;
  for (const Flag& flag : table) {
    const Given* last = find_given(given, flag.name);
    if (last == nullptr || !flag.is_setting || flag.is_secret) continue;
    if (flag.group != group) {
      text += fmt::format("{}# {}\n", group.empty() ? "" : "\n", flag.group);
      group = flag.group;
    }
    text += fmt::format("{} = {}\n", flag.name, toml_value(flag, *last));
  }
  return text;
}

std::vector<Given> read_config_file(const std::string& path, std::span<const Flag> table,
                                    const ReadFile& read) {
  const std::string full_path = config_path_of(path);
  const ConfigNode root = parse_toml(full_path, read(full_path));
  ConfigFile file(full_path, table);
  for (const ConfigEntry& entry : root.table) {
    if (entry.value.is(ConfigNode::Kind::kTable)) {
      for (const ConfigEntry& in_section : entry.value.table) file.add(in_section);
    } else {
      file.add(entry);
    }
  }
  return file.take();
}

}  // namespace leco
