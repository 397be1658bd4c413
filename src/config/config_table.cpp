#include "config/config_table.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>

#include "core/error.h"
#include "core/nearest_name.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

// YAML reads a word without quotes as whatever it looks like.
std::string_view quoting_hint(const ConfigSource& source, const ConfigNode& node) {
  if (!source.is_yaml()) return "";
  if (node.is(Kind::kNothing)) return "; write \"\" for the empty string";
  return node.is(Kind::kList) || node.is(Kind::kTable) ? "" : "; put it into quotes";
}

}  // namespace

std::string ConfigSource::section(std::string_view title) const {
  return is_yaml() ? std::string(title) : fmt::format("[{}]", title);
}

std::string ConfigSource::entry(std::string_view title, size_t number) const {
  return is_yaml() ? fmt::format("entry {} of {}", number, title) : fmt::format("[[{}]] {}", title, number);
}

ConfigTable::ConfigTable(const ConfigNode& node, ConfigSource source, std::string name)
    : node_(&node), source_(std::move(source)), name_(std::move(name)) {}

int64_t ConfigTable::line(std::string_view key) const {
  const ConfigEntry* found = node_->find(key);
  return found == nullptr ? line() : found->line;
}

std::vector<std::string> ConfigTable::keys() const {
  std::vector<std::string> names;
  for (const ConfigEntry& entry : node_->table) names.push_back(entry.key);
  return names;
}

const ConfigNode& ConfigTable::node(std::string_view key) const {
  const ConfigEntry* found = node_->find(key);
  LECO_ASSERT(found != nullptr);
  return found->value;
}

std::string ConfigTable::text(std::string_view key) const {
  const ConfigNode& value = node(key);
  if (!value.is(Kind::kText))
    fail(key, fmt::format("must be a string, not {}{}", describe(value), quoting_hint(source_, value)));
  return value.text;
}

double ConfigTable::number(std::string_view key) const {
  const ConfigNode& value = node(key);
  if (!value.is(Kind::kNumber) && !value.is(Kind::kInteger)) fail_type(key, "a number");
  const double given = value.is(Kind::kNumber) ? value.number : static_cast<double>(value.integer);
  // Everything is computed in float32 in the end, where 1e300 would be infinite.
  if (!std::isfinite(static_cast<float>(given))) fail_type(key, "a finite number");
  return given;
}

int64_t ConfigTable::integer(std::string_view key) const {
  if (!node(key).is(Kind::kInteger)) fail_type(key, "an integer");
  return node(key).integer;
}

bool ConfigTable::flag(std::string_view key) const {
  if (!node(key).is(Kind::kFlag)) fail_type(key, "true or false");
  return node(key).flag;
}

std::vector<std::string> ConfigTable::texts(std::string_view key) const {
  const ConfigNode& value = node(key);
  if (!value.is(Kind::kList) || value.list.empty()) fail_type(key, "a list of one string or more");
  std::vector<std::string> found;
  for (const ConfigNode& element : value.list) {
    if (!element.is(Kind::kText)) {
      fail_at(path(), element.line,
              fmt::format("{}: '{}' must be a list of strings; its element {} is {}{}", name_, key,
                          found.size() + 1, describe(element), quoting_hint(source_, element)));
    }
    found.push_back(element.text);
  }
  return found;
}

std::vector<ConfigTable> ConfigTable::tables(std::string_view key, const std::string& title) const {
  const ConfigNode& value = node(key);
  if (!value.is(Kind::kList) || value.list.empty()) {
    fail_type(key, source_.is_yaml() ? "a list of one entry or more"
                                     : fmt::format("one or more entries [[{}]]", title));
  }
  std::vector<ConfigTable> found;
  for (const ConfigNode& element : value.list) {
    const std::string entry = source_.entry(title, found.size() + 1);
    if (!element.is(Kind::kTable)) {
      fail_at(path(), element.line, fmt::format("{} must be a table, not {}", entry, describe(element)));
    }
    found.emplace_back(element, source_, entry);
  }
  return found;
}

ConfigTable ConfigTable::table(std::string_view key) const {
  if (!node(key).is(Kind::kTable)) {
    fail_type(key, source_.is_yaml() ? "one table of keys" : fmt::format("one table [{}]", key));
  }
  return {node(key), source_, source_.section(key)};
}

void ConfigTable::refuse_unknown(std::span<const std::string> known) const {
  for (const ConfigEntry& entry : node_->table) {
    if (std::ranges::find(known, entry.key) != known.end()) continue;
    fail_at(path(), entry.line,
            fmt::format("{}: unknown key '{}'; the nearest known key is '{}'", name_, shown(entry.key),
                        nearest_name(entry.key, known)));
  }
}

void ConfigTable::fail(std::string_view key, const std::string& what) const {
  fail_at(path(), line(key), fmt::format("{}: '{}' {}", name_, key, what));
}

void ConfigTable::fail_type(std::string_view key, const std::string& wanted) const {
  fail(key, fmt::format("must be {}, not {}", wanted, describe(node(key))));
}

}  // namespace leco
