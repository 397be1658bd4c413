// The keys of a prompt file: which there are, where they may stand, what their values must be.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config_table.h"
#include "config/prompt_pair.h"

namespace leco {

enum class TableKind {
  kPair,      // an entry with `target`
  kSlider,    // an entry with `target_class`
  kSection,   // [slider]: defaults, and its own targets
  kTopLevel,  // defaults, and everything else
};

// Refuses unknown keys and wrong values in `table`, also of keys that nobody will ask for.
void check_prompt_table(const ConfigTable& table, TableKind kind);

// The tables a key is looked for in, innermost first: the entry, [slider], the top level. Values must have
// been checked. Every look-up marks the key as asked for in all of them, so that what remains has no effect.
class Levels {
 public:
  explicit Levels(std::vector<const ConfigTable*> innermost_first) : tables_(std::move(innermost_first)) {}

  const std::vector<const ConfigTable*>& tables() const { return tables_; }
  Levels inside(const ConfigTable* entry) const;        // with the entry as the innermost; nullptr: unchanged
  const ConfigTable* find(std::string_view key) const;  // the first that has it; nullptr when none has
  std::string text(std::string_view key, const std::string& otherwise) const;
  double number(std::string_view key, double otherwise) const;
  bool flag(std::string_view key, bool otherwise) const;

 private:
  std::vector<const ConfigTable*> tables_;
};

using Notices = std::vector<std::string>;
void add_notice(Notices& notices, const ConfigTable& table, std::string_view key, const std::string& what);

// guidance_scale, batch_size, dynamic_crops, multiplier and weight; the rest as PromptPair's defaults.
PromptPair common_settings(const Levels& levels);

// The sizes a pair or slider is trained at, and where they were written. dynamic_resolution is taken back,
// with a notice, for sizes that are not square.
struct Size {
  Resolution resolution;
  bool dynamic = false;
};
std::vector<Size> pair_sizes(const Levels& levels, Notices& notices);    // one, from `resolution`
std::vector<Size> slider_sizes(const Levels& levels, Notices& notices);  // from `resolution` or `resolutions`

std::vector<std::string> preserved_attributes(const Levels& levels);  // {""} without `preserve`

// Throws when a file would expand to more pairs than any training visits; `table` is where the last of them
// are.
void check_pair_count(const ConfigTable& table, size_t count);

// One notice for every key of `table` that was never asked for.
void note_keys_without_effect(const ConfigTable& table, Notices& notices);

}  // namespace leco
