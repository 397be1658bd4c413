#include "config/config_node.h"

#include <algorithm>

#include <fmt/format.h>

#include "core/error.h"
#include "core/utf8.h"

namespace leco {
namespace {

void check_text(const std::string& path, int64_t line, std::string_view text) {
  if (text.find('\0') != std::string_view::npos)
    fail_at(path, line, "a text holds a zero byte, which no prompt, name or path can");
  // yaml-cpp 0.7 makes single bytes of these two escapes; toml++ lets nothing of the kind pass.
  if (!is_utf8(text))
    fail_at(path, line, "a text is not UTF-8: of YAML's escapes write \\x85 for \\N and \\xA0 for \\_");
}

}  // namespace

const ConfigEntry* ConfigNode::find(std::string_view key) const {
  const auto found = std::ranges::find(table, key, &ConfigEntry::key);
  return found == table.end() ? nullptr : &*found;
}

ConfigNode text_node(std::string text, int64_t line) {
  ConfigNode node;
  node.kind = ConfigNode::Kind::kText;
  node.line = line;
  node.text = std::move(text);
  return node;
}

ConfigNode table_node(std::vector<ConfigEntry> entries, int64_t line) {
  ConfigNode node;
  node.kind = ConfigNode::Kind::kTable;
  node.line = line;
  node.table = std::move(entries);
  return node;
}

std::string shown(std::string text) {
  constexpr size_t kMaxShown = 60;
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

std::string describe(const ConfigNode& node) {
  using Kind = ConfigNode::Kind;
  switch (node.kind) {
    case Kind::kNothing:
      return "nothing (null)";
    case Kind::kText:
      return fmt::format("the string \"{}\"", shown(node.text));
    case Kind::kInteger:
      return fmt::format("the integer {}", node.integer);
    case Kind::kNumber:
      return fmt::format("the number {}", node.number);
    case Kind::kFlag:
      return node.flag ? "true" : "false";
    case Kind::kDate:
      return "a date or time";
    case Kind::kList:
      return node.list.empty() ? "an empty list" : "a list";
    case Kind::kTable:
      return "a table";
  }
  return "";
}

void fail_at(const std::string& path, int64_t line, const std::string& what) {
  throw_usage(fmt::format("{}, line {}: {}", path, line, what));
}

void check_texts(const std::string& path, const ConfigNode& node) {
  if (node.is(ConfigNode::Kind::kText)) check_text(path, node.line, node.text);
  for (const ConfigNode& element : node.list) check_texts(path, element);
  for (const ConfigEntry& entry : node.table) {
    check_text(path, entry.line, entry.key);
    check_texts(path, entry.value);
  }
}

void check_config_bytes(const std::string& path, std::string_view text) {
  if (text.size() <= kMaxConfigBytes) return;
  throw_usage(fmt::format("{}: {} bytes are too many for a text file of settings; the limit is {}", path,
                          text.size(), kMaxConfigBytes));
}

}  // namespace leco
