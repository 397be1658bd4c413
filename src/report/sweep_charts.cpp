#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <numeric>

#include "report/sweep_results.h"

namespace leco {
namespace {

constexpr size_t kMostLines = 6;  // as many as the page has colours

std::optional<double> as_number(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size() ? std::optional(value) : std::nullopt;
}

// Numbers ascending, anything else as the runs have it.
std::vector<std::string> values_of(const SweepResults& results, const std::string& key) {
  std::vector<std::string> values;
  for (const SweepRow& run : results.runs)
    if (const std::string* value = swept_value(run, key);
        value && std::ranges::find(values, *value) == values.end())
      values.push_back(*value);
  if (std::ranges::all_of(values, [](const std::string& value) { return as_number(value).has_value(); }))
    std::ranges::stable_sort(values, {}, [](const std::string& value) { return *as_number(value); });
  return values;
}

// The values of a measure by prompt file, at each value of the setting.
using Cells = std::map<std::string, std::vector<std::vector<double>>>;

Cells cells_of(const SweepResults& results, const std::string& key, const std::vector<std::string>& values,
               const SweepMeasure& measure) {
  Cells cells;
  for (const SweepRow& run : results.runs) {
    const std::string* value = swept_value(run, key);
    const auto number = measure_of(run, measure.name);
    if (!value || !number || run.status != RunStatus::kDone) continue;
    auto& by_value = cells.try_emplace(run.prompts, values.size()).first->second;
    by_value[std::ranges::find(values, *value) - values.begin()].push_back(*number);
  }
  return cells;
}

std::optional<double> mean(const std::vector<double>& numbers) {
  if (numbers.empty()) return std::nullopt;
  return std::accumulate(numbers.begin(), numbers.end(), 0.0) / static_cast<double>(numbers.size());
}

// Linear between the two nearest, as numpy.quantile has it.
std::optional<double> quantile(std::vector<double> numbers, double share) {
  if (numbers.empty()) return std::nullopt;
  std::ranges::sort(numbers);
  const double place = share * static_cast<double>(numbers.size() - 1);
  const auto below = static_cast<size_t>(place);
  const double above = numbers[std::min(below + 1, numbers.size() - 1)];
  return numbers[below] + (place - static_cast<double>(below)) * (above - numbers[below]);
}

std::vector<ChartSeries> lines_of(const Cells& cells) {
  std::vector<ChartSeries> lines;
  for (const auto& [prompts, by_value] : cells) {
    ChartSeries& line = lines.emplace_back(ChartSeries{prompts, {}});
    for (const std::vector<double>& numbers : by_value) line.values.push_back(mean(numbers));
  }
  return lines;
}

std::vector<ChartSeries> quartiles_of(const Cells& cells, size_t values) {
  std::vector<ChartSeries> lines = {{"upper quartile", {}}, {"median", {}}, {"lower quartile", {}}};
  for (size_t i = 0; i < values; ++i) {
    std::vector<double> all;
    for (const auto& [prompts, by_value] : cells)
      all.insert(all.end(), by_value[i].begin(), by_value[i].end());
    for (const size_t line : {0, 1, 2})
      lines[line].values.push_back(quantile(all, 0.75 - 0.25 * static_cast<double>(line)));
  }
  return lines;
}

}  // namespace

std::vector<Chart> sweep_charts(const SweepResults& results) {
  std::vector<Chart> charts;
  for (const std::string& key : swept_keys(results)) {
    const std::vector<std::string> values = values_of(results, key);
    if (values.size() < 2) continue;
    for (const SweepMeasure& measure : measures_in(results)) {
      const Cells cells = cells_of(results, key, values, measure);
      if (cells.empty()) continue;
      Chart& chart = charts.emplace_back(Chart{.title = fmt::format("{} over {}", measure.title, key),
                                               .note = measure.meaning,
                                               .y_label = measure.title,
                                               .x = std::vector<double>(values.size()),
                                               .x_label = key,
                                               .x_names = values,
                                               .series = {}});
      std::iota(chart.x.begin(), chart.x.end(), 0.0);
      chart.series = cells.size() > kMostLines ? quartiles_of(cells, values.size()) : lines_of(cells);
    }
  }
  return charts;
}

}  // namespace leco
