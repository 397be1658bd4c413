// Typed access to a table of a TOML file. Every refusal is a usage error of one line that names file, line
// and key.
#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include <toml++/toml.h>

namespace leco {

[[noreturn]] void fail_at(const std::string& path, int64_t line, const std::string& what);

// Checks the limits of toml_scan.h, then parses. `path` is for messages only.
toml::table parse_toml(const std::string& path, std::string_view text);

// "the string \"512\"", "the integer 3", "a list": how messages name a value.
std::string describe(const toml::node& node);

class TomlTable {
 public:
  // `name` is what messages call the table: "[[prompts]] 2". The toml::table must outlive this object.
  TomlTable(const toml::table& table, std::string path, std::string name, int64_t line);

  const std::string& path() const { return path_; }
  const std::string& name() const { return name_; }
  int64_t line() const { return line_; }
  bool has(std::string_view key) const { return table_->contains(key); }
  int64_t line(std::string_view key) const;  // of the key, which must be there; of the table without it
  std::vector<std::string> keys() const;     // in the order of the file
  const toml::node& node(std::string_view key) const;

  // These throw when the value has another type; the key must be there.
  std::string text(std::string_view key) const;
  double number(std::string_view key) const;  // finite, also as float32; integers are taken too
  int64_t integer(std::string_view key) const;
  bool flag(std::string_view key) const;
  std::vector<std::string> texts(std::string_view key) const;  // a list of one string or more
  std::vector<TomlTable> tables(std::string_view key,
                                const std::string& title) const;  // [[title]], one or more
  TomlTable table(std::string_view key) const;                    // [key]

  // Throws for the first key that is not in `known`, with the nearest one that is.
  void refuse_unknown(std::span<const std::string> known) const;
  [[noreturn]] void fail(std::string_view key, const std::string& what) const;         // "… 'key' <what>"
  [[noreturn]] void fail_type(std::string_view key, const std::string& wanted) const;  // says what was given

  // Which keys a reader has asked for. A key that is there and was never asked for has no effect.
  void mark_asked(std::string_view key) const { asked_.emplace(key); }
  bool was_asked(std::string_view key) const { return asked_.contains(key); }

 private:
  const toml::table* table_;
  std::string path_;
  std::string name_;
  int64_t line_;
  mutable std::set<std::string, std::less<>> asked_;
};

}  // namespace leco
