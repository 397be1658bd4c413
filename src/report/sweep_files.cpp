#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "io/atomic_file.h"
#include "report/sweep_results.h"
#include "report/thumbnail.h"

namespace leco {
namespace {

using nlohmann::ordered_json;

// A field with a comma, a quote or a line break stands in quotes, its quotes doubled.
std::string csv_field(const std::string& text) {
  if (text.find_first_of(",\"\r\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? fmt::format("{}", *value) : "";
}

void add_line(std::string& text, const std::vector<std::string>& fields) {
  for (size_t i = 0; i < fields.size(); ++i) text += (i == 0 ? "" : ",") + csv_field(fields[i]);
  text += "\r\n";
}

ordered_json number_or_null(const std::optional<double>& value) {
  return value && std::isfinite(*value) ? ordered_json(*value) : ordered_json();
}

ordered_json to_json(const SweepRow& run) {
  ordered_json settings = ordered_json::object(), measures = ordered_json::object();
  for (const auto& [key, value] : run.swept) settings[key] = value;
  for (const auto& [name, value] : run.measures) measures[name] = number_or_null(value);
  return {{"name", run.name},
          {"prompts", run.prompts},
          {"status", status_name(run.status)},
          {"error", run.error.empty() ? ordered_json() : ordered_json(run.error)},
          {"seconds", number_or_null(run.seconds)},
          {"settings", settings},
          {"final_loss", number_or_null(run.final_loss)},
          {"measures", measures},
          {"folder", run.folder},
          {"files", run.files},
          {"picture", run.picture.empty() ? ordered_json() : ordered_json(run.picture)}};
}

// As many as decide whether the page embeds them; none where there is no such file.
std::string first_bytes(const std::filesystem::path& path) {
  std::string bytes(kMostThumbnailBytes + 1, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(bytes.data(), std::ssize(bytes));
  bytes.resize(static_cast<size_t>(file.gcount()));
  return bytes;
}

}  // namespace

const char* status_name(RunStatus status) {
  switch (status) {
    case RunStatus::kDone:
      return "done";
    case RunStatus::kRunning:
      return "running";
    case RunStatus::kFailed:
      return "failed";
    case RunStatus::kLeft:
      return "left";
    case RunStatus::kOther:
      return "other";
  }
  return "left";
}

std::vector<std::string> swept_keys(const SweepResults& results) {
  std::vector<std::string> keys;
  for (const SweepRow& run : results.runs)
    for (const auto& [key, value] : run.swept)
      if (std::ranges::find(keys, key) == keys.end()) keys.push_back(key);
  return keys;
}

const std::string* swept_value(const SweepRow& run, std::string_view key) {
  for (const auto& [name, value] : run.swept)
    if (name == key) return &value;
  return nullptr;
}

std::vector<SweepMeasure> measures_in(const SweepResults& results) {
  std::vector<SweepMeasure> measures;
  for (const SweepMeasure& measure : sweep_measures())
    if (std::ranges::any_of(results.runs,
                            [&](const SweepRow& run) { return measure_of(run, measure.name).has_value(); }))
      measures.push_back(measure);
  return measures;
}

std::optional<BestRun> best_run(const SweepResults& results, const SweepMeasure& measure) {
  std::optional<BestRun> best;
  if (measure.better == Better::kNeither) return best;
  for (size_t i = 0; i < results.runs.size(); ++i) {
    const auto value = measure_of(results.runs[i], measure.name);
    if (!value || results.runs[i].status != RunStatus::kDone) continue;
    if (best && *value == best->value)
      ++best->sharing;
    else if (!best || (measure.better == Better::kHigher) == (*value > best->value))
      best = BestRun{i, *value};
  }
  return best;
}

std::string sweep_csv(const SweepResults& results) {
  const std::vector<std::string> keys = swept_keys(results);
  std::vector<SweepMeasure> measures = measures_in(results);
  const SweepMeasure& final_loss = sweep_measures().front();  // a column of its own, empty or not
  std::erase_if(measures, [&](const SweepMeasure& measure) {
    return measure.name == std::string_view(final_loss.name);
  });
  measures.insert(measures.begin(), final_loss);

  std::vector<std::string> fields = {"name", "status", "seconds", "prompts"};
  fields.insert(fields.end(), keys.begin(), keys.end());
  for (const SweepMeasure& measure : measures) fields.emplace_back(measure.name);
  std::string text;
  add_line(text, fields);
  for (const SweepRow& run : results.runs) {
    fields = {run.name, status_name(run.status), csv_number(run.seconds), run.prompts};
    for (const std::string& key : keys) {
      const std::string* value = swept_value(run, key);
      fields.push_back(value ? *value : "");
    }
    for (const SweepMeasure& measure : measures) fields.push_back(csv_number(measure_of(run, measure.name)));
    add_line(text, fields);
  }
  return text;
}

std::string sweep_json(const SweepResults& results) {
  ordered_json runs = ordered_json::array(), best = ordered_json::object();
  for (const SweepRow& run : results.runs) runs.push_back(to_json(run));
  for (const SweepMeasure& measure : measures_in(results))
    if (const auto found = best_run(results, measure)) best[measure.name] = results.runs[found->run].name;
  const ordered_json object = {{"name", results.name}, {"runs", runs}, {"best", best}};
  return object.dump(2, ' ', false, ordered_json::error_handler_t::replace) + "\n";
}

std::vector<std::string> write_sweep_results(const SweepResults& results, const std::string& output_dir) {
  const std::filesystem::path folder = output_dir;
  std::vector<std::string> written;
  const auto write = [&](const char* name, const std::string& text) {
    written.push_back((folder / name).string());
    write_file_atomically(written.back(), text);
  };
  write("results.csv", sweep_csv(results));
  write("results.json", sweep_json(results));
  write("report.html",
        sweep_page(results, [&](const std::string& picture) { return first_bytes(folder / picture); }));
  return written;
}

}  // namespace leco
