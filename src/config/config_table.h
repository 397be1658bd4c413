// Typed access to a table of a TOML or YAML file. Every refusal is a usage error of one line that names file,
// line and key.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_node.h"

namespace leco {

enum class ConfigFormat { kToml, kYaml };

// The file a table comes from: its path, and how its format is written in messages.
struct ConfigSource {
  std::string path;
  ConfigFormat format = ConfigFormat::kToml;

  bool is_yaml() const { return format == ConfigFormat::kYaml; }
  // [slider] or slider; [[prompts]] 2 or entry 2 of prompts
  std::string section(std::string_view title) const;
  std::string entry(std::string_view title, size_t number) const;
};

class ConfigTable {
 public:
  // `name` is what messages call the table: "[[prompts]] 2". The node must be a table and outlive this
  // object.
  ConfigTable(const ConfigNode& node, ConfigSource source, std::string name);

  const std::string& path() const { return source_.path; }
  const ConfigSource& source() const { return source_; }
  const std::string& name() const { return name_; }
  int64_t line() const { return node_->line; }
  bool has(std::string_view key) const { return node_->find(key) != nullptr; }
  int64_t line(std::string_view key) const;  // of the key; of the table where the key is missing
  std::vector<std::string> keys() const;     // in the order of the file
  const ConfigNode& node(std::string_view key) const;

  // These throw when the value has another type; the key must be there.
  std::string text(std::string_view key) const;
  double number(std::string_view key) const;  // finite, also as float32; integers are taken too
  int64_t integer(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;  // a list of one string or more
  std::vector<ConfigTable> tables(std::string_view key,
                                  const std::string& title) const;  // a list of one table or more
  ConfigTable table(std::string_view key) const;

  // Throws for the first key that is not in `known`, with the nearest one that is.
  void refuse_unknown(std::span<const std::string> known) const;
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;         // "… 'key' <what>"
  [[noreturn]] void fail_type(std::string_view key, const std::string& wanted) const;  // says what was given

  // Which keys a reader has asked for. A key that is there and was never asked for has no effect.
  void mark_asked(std::string_view key) const { asked_.emplace(key); }
  bool was_asked(std::string_view key) const { return asked_.contains(key); }

 private:
  const ConfigNode* node_;
  ConfigSource source_;
  std::string name_;
  mutable std::set<std::string, std::less<>> asked_;
};

}  // namespace leco
