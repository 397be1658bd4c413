// What came of a sweep: a table for spreadsheets, a file for programs, a page for people.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "report/svg_chart.h"
#include "report/sweep_measures.h"
#include "report/sweep_row.h"

namespace leco {

struct SweepResults {
  std::string name;
  std::vector<SweepRow> runs;
};

const char* status_name(RunStatus status);  // "done", …

// The flags that were swept, in the order in which the runs name them, each once.
std::vector<std::string> swept_keys(const SweepResults& results);
// The run's value; null where it has none.
const std::string* swept_value(const SweepRow& run, std::string_view key);

// Those of sweep_measures() that any run has.
std::vector<SweepMeasure> measures_in(const SweepResults& results);

// The first finished run with the best value, and how many share it; none where no run has the measure, or no
// value of it is better than another.
struct BestRun {
  size_t run;
  double value;
  size_t sharing = 1;
};
std::optional<BestRun> best_run(const SweepResults& results, const SweepMeasure& measure);

// RFC 4180, with a header: name, status, seconds, prompts, the swept keys, the measures. What has no value is
// empty. Numbers as the shortest text that reads back as the same double.
std::string sweep_csv(const SweepResults& results);

// {"name", "runs": [the members of SweepRow, "settings" for what is swept], "best": {measure: name of a run}}
std::string sweep_json(const SweepResults& results);

// For each swept key with several values and each measure a chart: a line for each prompt file, of means over
// the other settings; with more than six prompt files their median and quartiles.
std::vector<Chart> sweep_charts(const SweepResults& results);

// One HTML file: best runs, table, curves, pictures. `read` gives the bytes of a picture by its path below
// output_dir, or of a large one the first of them; those of up to kMostThumbnailBytes are embedded while the
// page stays below kMostEmbedded bytes, the others are loaded from where they are when they are scrolled into
// view.
inline constexpr size_t kMostEmbedded = 12 << 20;
std::string sweep_page(const SweepResults& results,
                       const std::function<std::string(const std::string&)>& read);

// Writes results.csv, results.json and report.html into output_dir, each whole or not at all. Returns their
// paths. One rank does it.
std::vector<std::string> write_sweep_results(const SweepResults& results, const std::string& output_dir);

}  // namespace leco
