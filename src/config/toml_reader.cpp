#include "config/toml_reader.h"

#include <algorithm>

#include <fmt/format.h>
#include <toml++/toml.h>

#include "config/toml_scan.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

ConfigNode node_of(const toml::node& from);

// toml++ keeps the keys of a table in alphabetical order.
std::vector<ConfigEntry> entries_of(const toml::table& from) {
  std::vector<std::pair<toml::source_position, ConfigEntry>> found;
  for (const auto& [key, value] : from) {
    const toml::source_position begin = key.source().begin;
    found.push_back({begin, {std::string(key.str()), static_cast<int64_t>(begin.line), node_of(value)}});
  }
  std::ranges::sort(found, {},
                    [](const auto& pair) { return std::pair(pair.first.line, pair.first.column); });
  std::vector<ConfigEntry> entries;
  for (auto& [position, entry] : found) entries.push_back(std::move(entry));
  return entries;
}

ConfigNode node_of(const toml::node& from) {
  ConfigNode node;
  node.line = from.source().begin.line;
  node.kind = Kind::kDate;
  if (const auto* text = from.as_string()) {
    node.kind = Kind::kText;
    node.text = text->get();
  } else if (const auto* integer = from.as_integer()) {
    node.kind = Kind::kInteger;
    node.integer = integer->get();
  } else if (const auto* number = from.as_floating_point()) {
    node.kind = Kind::kNumber;
    node.number = number->get();
  } else if (const auto* flag = from.as_boolean()) {
    node.kind = Kind::kFlag;
    node.flag = flag->get();
  } else if (const auto* list = from.as_array()) {
    node.kind = Kind::kList;
    for (const toml::node& element : *list) node.list.push_back(node_of(element));
  } else if (const auto* table = from.as_table()) {
    node.kind = Kind::kTable;
    node.table = entries_of(*table);
  }
  return node;
}

}  // namespace

ConfigNode parse_toml(const std::string& path, std::string_view text) {
  check_toml_limits(path, text);
  try {
    ConfigNode root = table_node(entries_of(toml::parse(text, path)), 1);
    check_texts(path, root);
    return root;
  } catch (const toml::parse_error& error) {
    std::string reason(error.description());
    std::ranges::replace(reason, '\n', ' ');
    std::ranges::replace(reason, '\r', ' ');
    const auto begin = error.source().begin;
    fail_at(path, begin.line, fmt::format("column {}: not valid TOML: {}", begin.column, reason));
  }
}

}  // namespace leco
