#include "sweep/run_table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <numeric>

#include "core/nearest_name.h"
#include "core/philox.h"

namespace leco {
namespace {

// What a sweep writes beside its runs' folders.
const std::vector<std::string> kFilesOfTheSweep = {"results.csv", "results.json", "report.html",
                                                   "sweep.json"};
constexpr size_t kLongestName = 180;  // bytes, as --output_name

class Expansion {
 public:
  Expansion(const SweepSpec& spec, const std::vector<PromptSource>& sources, const ValueText& text,
            const UsualText& usual)
      : spec_(spec),
        sources_(sources),
        text_(text),
        usual_(usual),
        uses_of_exclude_(spec.exclude.size(), 0) {}

  RunTable run() {
    check_grid();
    check_exclude();
    for (size_t source = 0; source < sources_.size(); ++source) add_combinations(source);
    if (spec_.sample) take_sample();
    for (const ConfigNode& entry : spec_.include) include(entry);
    for (size_t i = 0; i < spec_.exclude.size(); ++i)
      if (uses_of_exclude_[i] == 0)
        table_.notices.push_back(fmt::format("{}, line {}: entry {} of exclude matches no run", spec_.path,
                                             spec_.exclude[i].line, i + 1));
    if (table_.runs.empty()) fail_at(spec_.path, 1, "there is no run: everything is excluded");
    check_names();
    return std::move(table_);
  }

 private:
  [[noreturn]] void fail(int64_t line, const std::string& what) const { fail_at(spec_.path, line, what); }

  void check_grid() {
    for (const ConfigEntry& flag : spec_.grid) {
      std::map<std::string, int64_t> seen;
      std::vector<std::string>& texts = grid_texts_.emplace_back();
      for (const ConfigNode& value : flag.value.list) {
        texts.push_back(text_({flag.key, value.line, value}));
        if (!seen.emplace(texts.back(), value.line).second)
          fail(value.line, fmt::format("grid: '{}' lists {} twice", flag.key, texts.back()));
      }
    }
  }

  // Texts of an entry's values; the name of a source is its own text.
  std::map<std::string, std::string> texts_of(const ConfigNode& entry, const std::string& title) const {
    std::map<std::string, std::string> texts;
    for (const ConfigEntry& value : entry.table) {
      if (value.key == kPromptsKey)
        check_source(value, title);
      else
        texts[value.key] = text_(value);
    }
    return texts;
  }

  void check_source(const ConfigEntry& value, const std::string& title) const {
    std::vector<std::string> names;
    for (const PromptSource& source : sources_) names.push_back(source.name);
    if (!value.value.is(ConfigNode::Kind::kText) || std::ranges::find(names, value.value.text) == names.end())
      fail(value.line,
           fmt::format("{}: '{}' is {}; expected the name of a prompt file without its ending, or of "
                       "a slider{}",
                       title, kPromptsKey, describe(value.value),
                       value.value.is(ConfigNode::Kind::kText)
                           ? fmt::format("; the nearest is '{}'", nearest_name(value.value.text, names))
                           : ""));
  }

  bool fits_source(const ConfigNode& entry, size_t source) const {
    const ConfigEntry* wanted = entry.find(kPromptsKey);
    return wanted == nullptr || wanted->value.text == sources_[source].name;
  }

  void check_exclude() {
    std::vector<std::string> known = {kPromptsKey};
    for (const ConfigEntry& flag : spec_.grid) known.push_back(flag.key);
    for (size_t i = 0; i < spec_.exclude.size(); ++i) {
      for (const ConfigEntry& value : spec_.exclude[i].table)
        if (std::ranges::find(known, value.key) == known.end())
          fail(value.line,
               fmt::format("entry {} of exclude: '{}' is not in the grid; the nearest key is '{}'", i + 1,
                           shown(value.key), nearest_name(value.key, known)));
      exclude_texts_.push_back(texts_of(spec_.exclude[i], fmt::format("entry {} of exclude", i + 1)));
    }
  }

  // Every combination, the last flag changing fastest.
  void add_combinations(size_t source) {
    std::vector<size_t> choice(spec_.grid.size(), 0);
    while (true) {
      SweepRun run{.source = source};
      for (size_t i = 0; i < choice.size(); ++i) {
        const ConfigEntry& flag = spec_.grid[i];
        run.values.push_back({flag.key, flag.value.list[choice[i]].line, flag.value.list[choice[i]]});
        run.swept.emplace_back(flag.key, grid_texts_[i][choice[i]]);
      }
      if (!is_excluded(run)) add(std::move(run));
      size_t last = choice.size();
      while (last > 0 && ++choice[last - 1] == grid_texts_[last - 1].size()) choice[--last] = 0;
      if (last == 0) return;
    }
  }

  bool is_excluded(const SweepRun& run) {
    for (size_t i = 0; i < spec_.exclude.size(); ++i) {
      const bool matches =
          fits_source(spec_.exclude[i], run.source) &&
          std::ranges::all_of(exclude_texts_[i], [&](const auto& wanted) {
            return std::ranges::find(run.swept, std::pair<std::string, std::string>(wanted)) !=
                   run.swept.end();
          });
      if (!matches) continue;
      ++uses_of_exclude_[i];
      return true;
    }
    return false;
  }

  // Fisher–Yates, as a training's pair order; of the shuffled runs the first, in the order of the table.
  void take_sample() {
    const auto count = std::ssize(table_.runs);
    if (spec_.sample->count > count)
      fail(1, fmt::format("sample: count is {}, and the grid has {} runs", spec_.sample->count, count));
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t{0});
    const Draws draws(spec_.sample->seed, {.purpose = Purpose::kSweepSample});
    uint64_t position = 0;
    for (int64_t j = count - 1; j >= 1; --j)
      std::swap(order[j], order[draws.integer(position++, static_cast<uint32_t>(j + 1))]);
    order.resize(spec_.sample->count);
    std::ranges::sort(order);
    std::vector<SweepRun> chosen;
    for (const size_t index : order) chosen.push_back(std::move(table_.runs[index]));
    table_.runs = std::move(chosen);
  }

  void include(const ConfigNode& entry) {
    const auto number = &entry - spec_.include.data() + 1;
    const auto texts = texts_of(entry, fmt::format("entry {} of include", number));
    for (size_t source = 0; source < sources_.size(); ++source) {
      if (!fits_source(entry, source)) continue;
      SweepRun run{.source = source};
      for (const ConfigEntry& flag : spec_.grid) {
        const auto own = texts.find(flag.key);
        run.swept.emplace_back(flag.key, own == texts.end() ? usual_(flag.key) : own->second);
      }
      for (const ConfigEntry& value : entry.table) {
        if (value.key == kPromptsKey) continue;
        run.values.push_back(value);
        const bool in_grid = std::ranges::find(spec_.grid, value.key, &ConfigEntry::key) != spec_.grid.end();
        if (!in_grid) run.swept.emplace_back(value.key, texts.at(value.key));
      }
      line_of_included_[table_.runs.size()] = entry.line;
      add(std::move(run));
    }
  }

  void add(SweepRun run) {
    if (table_.runs.size() == kMostRuns) fail(1, fmt::format("more than {} runs", kMostRuns));
    run.name = for_name(sources_[run.source].name);
    for (const auto& [flag, value] : run.swept) run.name += for_name(fmt::format(",{}={}", flag, value));
    table_.runs.push_back(std::move(run));
  }

  void check_names() const {
    std::map<std::string, size_t> seen;
    for (size_t i = 0; i < table_.runs.size(); ++i) {
      const std::string& name = table_.runs[i].name;
      const auto included = line_of_included_.find(i);
      const int64_t line =
          included != line_of_included_.end() ? included->second : sources_[table_.runs[i].source].line;
      if (name.starts_with('.') || name.size() > kLongestName)
        fail(line,
             fmt::format("a run would be named '{}'; expected a file name of at most {} bytes that does not "
                         "begin with a dot",
                         name, kLongestName));
      if (std::ranges::find(kFilesOfTheSweep, name) != kFilesOfTheSweep.end())
        fail(line, fmt::format("a run would be named '{}', as a file that the sweep writes; give the prompt "
                               "file or slider another name",
                               name));
      if (!seen.emplace(name, i).second)
        fail(line, fmt::format("two runs would be named '{}'; {}", name,
                               included != line_of_included_.end()
                                   ? "the grid has what this entry of include adds"
                                   : "give one of the prompt files or sliders another name"));
    }
  }

  const SweepSpec& spec_;
  const std::vector<PromptSource>& sources_;
  const ValueText& text_;
  const UsualText& usual_;
  RunTable table_;
  std::vector<std::vector<std::string>> grid_texts_;               // of each flag's values
  std::vector<std::map<std::string, std::string>> exclude_texts_;  // of each entry: flag to value
  std::vector<int64_t> uses_of_exclude_;
  std::map<size_t, int64_t> line_of_included_;
};

}  // namespace

std::string for_name(std::string text) {
  std::ranges::replace_if(
      text, [](char c) { return c == '/' || c == ' ' || static_cast<unsigned char>(c) < 0x20 || c == 0x7f; },
      '_');
  return text;
}

RunTable expand_runs(const SweepSpec& spec, const std::vector<PromptSource>& sources, const ValueText& text,
                     const UsualText& usual) {
  return Expansion(spec, sources, text, usual).run();
}

}  // namespace leco
