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
std::optional<std::vector<std::string>> words_of(const toml::node& node, ValueKind kind) {
  using Words = std::vector<std::string>;
  if (kind == ValueKind::kSwitch && node.is_boolean())
    return Words{node.as_boolean()->get() ? "true" : "false"};
  const bool takes_integer = kind == ValueKind::kInteger || kind == ValueKind::kNumber;
  if (takes_integer && node.is_integer()) return Words{std::to_string(node.as_integer()->get())};
  if (kind == ValueKind::kNumber && node.is_floating_point()) {
    return Words{number_text(node.as_floating_point()->get())};
  }
  if (kind == ValueKind::kText && node.is_string()) return Words{node.as_string()->get()};
  if (kind != ValueKind::kWords || !node.is_array()) return std::nullopt;
  Words words;
  for (const toml::node& element : *node.as_array()) {
    if (!element.is_string()) return std::nullopt;
    words.push_back(element.as_string()->get());
  }
  return words;
}

class ConfigFile {
 public:
  ConfigFile(std::string path, std::span<const Flag> table) : path_(std::move(path)), table_(table) {}

  void add(const toml::key& name, const toml::node& node) {
    const std::string key(name.str());
    const int64_t line = name.source().begin.line;
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
  const toml::table root = parse_toml(full_path, read(full_path));
  ConfigFile file(full_path, table);
  for (const auto& [name, node] : root) {
    if (const toml::table* section = node.as_table()) {
      for (const auto& [key, value] : *section) file.add(key, value);
    } else {
      file.add(name, node);
    }
  }
  return file.take();
}

}  // namespace leco
