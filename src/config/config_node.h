// The contents of a TOML or YAML file, free of the library that read it.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace leco {

// Limits that hold before and while a file is parsed; no file that a person writes comes near them.
constexpr size_t kMaxConfigBytes = 1'000'000;
constexpr int64_t kMaxConfigDepth = 64;  // lists and tables inside each other; parts of one dotted key

struct ConfigEntry;

struct ConfigNode {
  enum class Kind { kNothing, kText, kInteger, kNumber, kFlag, kDate, kList, kTable };

  Kind kind = Kind::kNothing;
  int64_t line = 1;                // where it begins, from 1
  std::string text;                // of kText
  int64_t integer = 0;             // of kInteger
  double number = 0;               // of kNumber
  bool flag = false;               // of kFlag
  std::vector<ConfigNode> list;    // of kList
  std::vector<ConfigEntry> table;  // of kTable: in the order of the file, no key twice

  bool is(Kind wanted) const { return kind == wanted; }
  const ConfigEntry* find(std::string_view key) const;  // nullptr where there is none
};

struct ConfigEntry {
  std::string key;
  int64_t line = 1;  // of the key
  ConfigNode value;
};

ConfigNode text_node(std::string text, int64_t line);
ConfigNode table_node(std::vector<ConfigEntry> entries, int64_t line);

// "the string \"512\"", "the integer 3", "a list": how messages name a value.
std::string describe(const ConfigNode& node);
// A user's string for a message: on one line, cut to 60 bytes between two characters.
std::string shown(std::string text);

// Throws the usage error "<path>, line <line>: <what>".
[[noreturn]] void fail_at(const std::string& path, int64_t line, const std::string& what);
// Throws where a key or a text is not UTF-8 without zero bytes, which files can hold behind escapes.
void check_texts(const std::string& path, const ConfigNode& node);
// Throws when a file's text is longer than kMaxConfigBytes.
void check_config_bytes(const std::string& path, std::string_view text);

}  // namespace leco
