#include "config/toml_reader.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "config/toml_scan.h"
#include "core/error.h"
#include "core/nearest_name.h"

namespace leco {
namespace {

constexpr size_t kMaxShown = 60;  // bytes of a user's string in a message

// Shortened between two UTF-8 characters, on one line.
std::string shown(std::string text) {
  if (text.size() > kMaxShown) {
    size_t end = kMaxShown;
    while (end > 0 && (text[end] & 0xC0) == 0x80) --end;
    text = text.substr(0, end) + "…";
  }
  for (char& c : text) {
    if (static_cast<unsigned char>(c) < 0x20) c = ' ';
  }
  return text;
}

int64_t line_of(const toml::node& node) {
  return node.source().begin.line;
}

}  // namespace

void fail_at(const std::string& path, int64_t line, const std::string& what) {
  throw_usage(fmt::format("{}, line {}: {}", path, line, what));
}

toml::table parse_toml(const std::string& path, std::string_view text) {
  check_toml_limits(path, text);
  try {
    return toml::parse(text, path);
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    std::ranges::replace(reason, '\n', ' ');
    std::ranges::replace(reason, '\r', ' ');
    const auto begin = error.source().begin;
    fail_at(path, begin.line, fmt::format("column {}: not valid TOML: {}", begin.column, reason));
  }
}

std::string describe(const toml::node& node) {
  switch (node.type()) {
    case toml::node_type::string:
      return fmt::format("the string \"{}\"", shown(**node.as_string()));
    case toml::node_type::integer:
      return fmt::format("the integer {}", **node.as_integer());
    case toml::node_type::floating_point:
      return fmt::format("the number {}", **node.as_floating_point());
    case toml::node_type::boolean:
      return **node.as_boolean() ? "true" : "false";
    case toml::node_type::array:
      return node.as_array()->empty() ? "an empty list" : "a list";
    case toml::node_type::table:
      return "a table";
    default:
      return "a date or time";
  }
}

TomlTable::TomlTable(const toml::table& table, std::string path, std::string name, int64_t line)
    : table_(&table), path_(std::move(path)), name_(std::move(name)), line_(line) {}

int64_t TomlTable::line(std::string_view key) const {
  const auto found = table_->find(key);
  return found == table_->end() ? line_ : static_cast<int64_t>(found->first.source().begin.line);
}

std::vector<std::string> TomlTable::keys() const {
  std::vector<std::pair<toml::source_position, std::string>> found;
  for (const auto& [key, value] : *table_) found.emplace_back(key.source().begin, key.str());
  std::ranges::sort(found);
  std::vector<std::string> names;
  for (auto& [position, name] : found) names.push_back(std::move(name));
  return names;
}

const toml::node& TomlTable::node(std::string_view key) const {
  const toml::node* found = table_->get(key);
  LECO_ASSERT(found != nullptr);
  return *found;
}

std::string TomlTable::text(std::string_view key) const {
  const auto* value = node(key).as_string();
  if (value == nullptr) fail_type(key, "a string");
  return value->get();
}

double TomlTable::number(std::string_view key) const {
  const auto& value = node(key);
  if (!value.is_number()) fail_type(key, "a number");
  const double given = *value.value<double>();
  // Everything is computed in float32 in the end, where 1e300 would be infinite.
  if (!std::isfinite(static_cast<float>(given))) fail_type(key, "a finite number");
  return given;
}

int64_t TomlTable::integer(std::string_view key) const {
  const auto* value = node(key).as_integer();
  if (value == nullptr) fail_type(key, "an integer");
  return value->get();
}

bool TomlTable::flag(std::string_view key) const {
  const auto* value = node(key).as_boolean();
  if (value == nullptr) fail_type(key, "true or false");
  return value->get();
}

std::vector<std::string> TomlTable::texts(std::string_view key) const {
  const auto* list = node(key).as_array();
  if (list == nullptr || list->empty()) fail_type(key, "a list of one string or more");
  std::vector<std::string> found;
  for (const toml::node& element : *list) {
    if (!element.is_string()) {
      fail_at(path_, line_of(element),
              fmt::format("{}: '{}' must be a list of strings; its element {} is {}", name_, key,
                          found.size() + 1, describe(element)));
    }
    found.push_back(element.as_string()->get());
  }
  return found;
}

std::vector<TomlTable> TomlTable::tables(std::string_view key, const std::string& title) const {
  const auto* list = node(key).as_array();
  if (list == nullptr || list->empty()) fail_type(key, fmt::format("one or more entries [[{}]]", title));
  std::vector<TomlTable> found;
  for (const toml::node& element : *list) {
    const std::string entry = fmt::format("[[{}]] {}", title, found.size() + 1);
    if (!element.is_table()) {
      fail_at(path_, line_of(element), fmt::format("{} must be a table, not {}", entry, describe(element)));
    }
    found.emplace_back(*element.as_table(), path_, entry, line_of(element));
  }
  return found;
}

TomlTable TomlTable::table(std::string_view key) const {
  const auto* found = node(key).as_table();
  if (found == nullptr) fail_type(key, fmt::format("one table [{}]", key));
  return {*found, path_, fmt::format("[{}]", key), line(key)};
}

void TomlTable::refuse_unknown(std::span<const std::string> known) const {
  for (const std::string& key : keys()) {
    if (std::ranges::find(known, key) != known.end()) continue;
    fail_at(path_, line(key),
            fmt::format("{}: unknown key '{}'; the nearest known key is '{}'", name_, shown(key),
                        nearest_name(key, known)));
  }
}

void TomlTable::fail(std::string_view key, const std::string& what) const {
  fail_at(path_, line(key), fmt::format("{}: '{}' {}", name_, key, what));
}

void TomlTable::fail_type(std::string_view key, const std::string& wanted) const {
  fail(key, fmt::format("must be {}, not {}", wanted, describe(node(key))));
}

}  // namespace leco
