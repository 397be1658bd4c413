#include "config/prompt_keys.h"

#include <algorithm>
#include <array>

#include <fmt/format.h>

#include "core/nearest_name.h"

namespace leco {
namespace {

using Kind = ConfigNode::Kind;

constexpr size_t kMaxPairs = 100'000;
constexpr int64_t kMaxSide = 16384;   // pixels; far above what the models bear
constexpr int64_t kMaxBatch = 65536;  // far above what memory bears

enum class ValueType { kText, kNumber, kBatch, kFlag, kAction, kTexts, kSize, kSizes };

struct Key {
  const char* name;
  ValueType type;
  bool in_pair;
  bool in_slider;
};

constexpr std::array kKeys = {
    Key{"target", ValueType::kText, true, false},
    Key{"target_class", ValueType::kText, false, true},
    Key{"positive", ValueType::kText, true, true},
    Key{"negative", ValueType::kText, false, true},
    Key{"unconditional", ValueType::kText, true, false},
    Key{"neutral", ValueType::kText, true, true},
    Key{"neutrals", ValueType::kTexts, false, true},
    Key{"neutral_prompt_file", ValueType::kText, false, true},
    Key{"prompt_file", ValueType::kText, false, true},
    Key{"action", ValueType::kAction, true, false},
    Key{"guidance_scale", ValueType::kNumber, true, true},
    Key{"resolution", ValueType::kSize, true, true},
    Key{"resolutions", ValueType::kSizes, false, true},
    Key{"dynamic_resolution", ValueType::kFlag, true, true},
    Key{"dynamic_crops", ValueType::kFlag, true, true},
    Key{"batch_size", ValueType::kBatch, true, true},
    Key{"multiplier", ValueType::kNumber, true, true},
    Key{"weight", ValueType::kNumber, true, true},
    Key{"preserve", ValueType::kTexts, true, true},
};

std::vector<std::string> known_keys(TableKind kind) {
  std::vector<std::string> names;
  for (const Key& key : kKeys) {
    const bool fits = kind == TableKind::kPair     ? key.in_pair
                      : kind == TableKind::kSlider ? key.in_slider
                                                   : true;
    if (fits) names.emplace_back(key.name);
  }
  if (kind == TableKind::kSection || kind == TableKind::kTopLevel) names.emplace_back("targets");
  if (kind == TableKind::kTopLevel) names.insert(names.end(), {"prompts", "slider", "recorded_as"});
  return names;
}

// A key of the other kind of entry is no typing mistake, so it is explained.
void refuse_keys_of_the_other_kind(const ConfigTable& table, TableKind kind) {
  if (kind != TableKind::kPair && kind != TableKind::kSlider) return;
  const bool pair = kind == TableKind::kPair;
  for (const Key& key : kKeys) {
    if ((pair ? key.in_pair : key.in_slider) || !table.has(key.name)) continue;
    table.fail(key.name,
               fmt::format("is a key of {}, and this entry is a {}; the nearest known key of a {} is '{}'",
                           pair ? "sliders (entries with 'target_class')" : "pairs (entries with 'target')",
                           pair ? "pair" : "slider", pair ? "pair" : "slider",
                           nearest_name(key.name, known_keys(kind))));
  }
}

bool is_side(int64_t pixels) {
  return pixels > 0 && pixels <= kMaxSide && pixels % 8 == 0;
}

int64_t side(const ConfigTable& table, std::string_view key, const ConfigNode& node) {
  if (!node.is(Kind::kInteger) || !is_side(node.integer)) {
    fail_at(table.path(), node.line,
            fmt::format("{}: '{}' must be pixels, a positive multiple of 8 up to {}, or [height, width] of "
                        "such; found {}",
                        table.name(), key, kMaxSide, describe(node)));
  }
  return node.integer;
}

// An integer is a square; a list of two is [height, width].
Resolution read_size(const ConfigTable& table, std::string_view key, const ConfigNode& node) {
  if (!node.is(Kind::kList)) {
    const int64_t pixels = side(table, key, node);
    return {pixels, pixels};
  }
  if (node.list.size() != 2) {
    fail_at(table.path(), node.line,
            fmt::format("{}: '{}' must be an integer or [height, width], not a list of {}", table.name(), key,
                        node.list.size()));
  }
  return {side(table, key, node.list[0]), side(table, key, node.list[1])};
}

std::vector<Resolution> read_sizes(const ConfigTable& table, std::string_view key) {
  const ConfigNode& node = table.node(key);
  if (!node.is(Kind::kList) || node.list.empty())
    table.fail_type(key, "a list of resolutions, such as [512, [768, 512]]");
  std::vector<Resolution> sizes;
  for (const ConfigNode& element : node.list) sizes.push_back(read_size(table, key, element));
  return sizes;
}

void check_value(const ConfigTable& table, const Key& key) {
  switch (key.type) {
    case ValueType::kText:
      table.text(key.name);
      break;
    case ValueType::kNumber:
      table.number(key.name);
      break;
    case ValueType::kFlag:
      table.flag(key.name);
      break;
    case ValueType::kTexts:
      table.texts(key.name);
      break;
    case ValueType::kSize:
      read_size(table, key.name, table.node(key.name));
      break;
    case ValueType::kSizes:
      read_sizes(table, key.name);
      break;
    case ValueType::kBatch: {
      const int64_t given = table.integer(key.name);
      if (given < 1 || given > kMaxBatch) table.fail_type(key.name, fmt::format("1 to {}", kMaxBatch));
      break;
    }
    case ValueType::kAction: {
      const std::string given = table.text(key.name);
      if (given != "erase" && given != "enhance") table.fail_type(key.name, "\"erase\" or \"enhance\"");
      break;
    }
  }
}

// The first level that has one of the two keys decides; within one level `resolutions` wins.
struct WrittenSizes {
  const ConfigTable* table = nullptr;  // nullptr: the default
  std::string key = "resolution";
  std::vector<Resolution> sizes = {Resolution{}};
};

WrittenSizes find_sizes(const Levels& levels) {
  WrittenSizes found;
  for (const ConfigTable* table : levels.tables()) {
    const std::string key = table->has("resolutions") ? "resolutions" : "resolution";
    if (!table->has(key)) continue;
    table->mark_asked(key);
    if (found.table != nullptr) continue;
    found.table = table;
    found.key = key;
    found.sizes = key == "resolutions" ? read_sizes(*table, key)
                                       : std::vector{read_size(*table, key, table->node(key))};
  }
  return found;
}

bool is_list_of_two_integers(const ConfigNode& node) {
  return node.is(Kind::kList) && node.list.size() == 2 && node.list[0].is(Kind::kInteger) &&
         node.list[1].is(Kind::kInteger);
}

std::vector<Size> with_dynamic(const Levels& levels, const WrittenSizes& written, Notices& notices) {
  const bool dynamic = levels.flag("dynamic_resolution", false);
  std::vector<Size> sizes;
  for (const Resolution& size : written.sizes) {
    const bool square = size.height == size.width;
    if (dynamic && !square) {
      add_notice(notices, *written.table, written.key,
                 fmt::format("has a size that is not square, [{}, {}]: it stays fixed, dynamic_resolution "
                             "does not act on it",
                             size.height, size.width));
    }
    if (dynamic && square && size.height % 64 != 0) {
      written.table->fail(written.key,
                          fmt::format("must be a multiple of 64 with dynamic_resolution, such as {}, not {}",
                                      std::max<int64_t>(64, size.height / 64 * 64), size.height));
    }
    sizes.push_back({size, dynamic && square});
  }
  return sizes;
}

}  // namespace

void check_prompt_table(const ConfigTable& table, TableKind kind) {
  refuse_keys_of_the_other_kind(table, kind);
  table.refuse_unknown(known_keys(kind));
  for (const Key& key : kKeys) {
    if (table.has(key.name)) check_value(table, key);
  }
}

const ConfigTable* Levels::find(std::string_view key) const {
  const ConfigTable* first = nullptr;
  for (const ConfigTable* table : tables_) {
    if (!table->has(key)) continue;
    table->mark_asked(key);
    if (first == nullptr) first = table;
  }
  return first;
}

Levels Levels::inside(const ConfigTable* entry) const {
  if (entry == nullptr) return *this;
  std::vector<const ConfigTable*> tables = tables_;
  tables.insert(tables.begin(), entry);
  return Levels(std::move(tables));
}

std::string Levels::text(std::string_view key, const std::string& otherwise) const {
  const ConfigTable* table = find(key);
  return table == nullptr ? otherwise : table->text(key);
}

double Levels::number(std::string_view key, double otherwise) const {
  const ConfigTable* table = find(key);
  return table == nullptr ? otherwise : table->number(key);
}

bool Levels::flag(std::string_view key, bool otherwise) const {
  const ConfigTable* table = find(key);
  return table == nullptr ? otherwise : table->flag(key);
}

void add_notice(Notices& notices, const ConfigTable& table, std::string_view key, const std::string& what) {
  const std::string line =
      fmt::format("{}, line {}: {}: '{}' {}", table.path(), table.line(key), table.name(), key, what);
  if (std::ranges::find(notices, line) == notices.end()) notices.push_back(line);
}

PromptPair common_settings(const Levels& levels) {
  PromptPair pair;
  pair.guidance_scale = levels.number("guidance_scale", pair.guidance_scale);
  pair.dynamic_crops = levels.flag("dynamic_crops", pair.dynamic_crops);
  pair.multiplier = levels.number("multiplier", pair.multiplier);
  pair.weight = levels.number("weight", pair.weight);
  if (const ConfigTable* table = levels.find("batch_size")) pair.batch_size = table->integer("batch_size");
  return pair;
}

std::vector<Size> pair_sizes(const Levels& levels, Notices& notices) {
  WrittenSizes written;
  if (const ConfigTable* table = levels.find("resolution")) {
    written.table = table;
    written.sizes = {read_size(*table, "resolution", table->node("resolution"))};
  }
  return with_dynamic(levels, written, notices);
}

std::vector<Size> slider_sizes(const Levels& levels, Notices& notices) {
  const WrittenSizes written = find_sizes(levels);
  if (written.key == "resolutions" && is_list_of_two_integers(written.table->node("resolutions"))) {
    add_notice(
        notices, *written.table, "resolutions",
        fmt::format(
            "names two square sizes, {0}x{0} and {1}x{1}; one size of height {0} and width {1} is written "
            "[[{0}, {1}]]",
            written.sizes[0].height, written.sizes[1].height));
  }
  return with_dynamic(levels, written, notices);
}

std::vector<std::string> preserved_attributes(const Levels& levels) {
  const ConfigTable* table = levels.find("preserve");
  return table == nullptr ? std::vector<std::string>{""} : table->texts("preserve");
}

void check_pair_count(const ConfigTable& table, size_t count) {
  if (count <= kMaxPairs) return;
  fail_at(
      table.path(), table.line(),
      fmt::format("{}: the file expands to more than {} pairs; use fewer neutrals, resolutions or attributes",
                  table.name(), kMaxPairs));
}

void note_keys_without_effect(const ConfigTable& table, Notices& notices) {
  for (const std::string& key : table.keys()) {
    if (table.was_asked(key)) continue;
    const bool outdone_size = key == "resolution" && table.has("resolutions");
    const bool about_neutrals = key == "neutral" || key == "neutral_prompt_file" || key == "prompt_file";
    add_notice(notices, table, key,
               outdone_size ? "has no effect, since 'resolutions' beside it wins"
               : about_neutrals
                   ? "has no effect: another key names the neutral prompts, or no entry takes them from here"
                   : "has no effect: no entry of this file takes it from here");
  }
}

}  // namespace leco
