#include "launcher/config_file.h"

#include <fmt/format.h>

#include <optional>

#include "config/toml_reader.h"
#include "launcher/flag_values.h"

namespace leco {
namespace {

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
    const auto& [key, line, node] = entry;
    const Flag* flag = find_flag(table_, key);
    if (flag == nullptr) {
      fail_at(path_, line,
              fmt::format("unknown key '{}'; did you mean '{}'?", one_line(key), suggest_flag(table_, key)));
    }
    if (!flag->is_setting) {
      fail_at(path_, line, fmt::format("'{}' belongs on the command line, not into a file of flags", key));
    }
    auto words = words_of(node, flag->form.kind);
    if (!words) {
      fail_at(path_, line,
              fmt::format("'{}' is {}; expected {}", key, describe(node), wanted_type(flag->form.kind)));
    }
    if (const Given* other = find_given(given_, key)) {
      fail_at(path_, line, fmt::format("'{}' is set twice; the other is in {}", key, other->place));
    }
    given_.push_back({key, flag->form.kind, std::move(*words), fmt::format("{}, line {}", path_, line)});
  }

  std::vector<Given> take() { return std::move(given_); }

 private:
  std::string path_;
  std::span<const Flag> table_;
  std::vector<Given> given_;
};

}  // namespace

std::vector<Given> read_config_file(const std::string& path, std::span<const Flag> table,
                                    const ReadFile& read) {
  const std::string full_path = path.ends_with(".toml") ? path : path + ".toml";
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
