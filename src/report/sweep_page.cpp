#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/version.h"
#include "report/html_text.h"
#include "report/page_style.h"
#include "report/sweep_page_script.h"
#include "report/sweep_results.h"
#include "report/thumbnail.h"

namespace leco {
namespace {

using ReadPicture = std::function<std::string(const std::string&)>;

const char* status_class(RunStatus status) {
  switch (status) {
    case RunStatus::kDone:
      return "good";
    case RunStatus::kRunning:
      return "fair";
    case RunStatus::kFailed:
      return "poor";
    case RunStatus::kLeft:
      return "soft";
  }
  return "soft";
}

// A path below the page as a reference that no name can turn into anything else: "./" in front, and all but
// RFC 3986's unreserved characters percent-encoded.
std::string reference(const std::string& path) {
  std::string out = "./";
  for (const char c : path) {
    const auto byte = static_cast<unsigned char>(c);
    const bool plain = (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
                       (byte >= '0' && byte <= '9') ||
                       std::string_view("-._~/").find(c) != std::string_view::npos;
    out += plain ? std::string(1, c) : fmt::format("%{:02X}", byte);
  }
  return out;
}

std::string duration(double seconds) {
  if (seconds < 90) return fmt::format("{:.0f} s", seconds);
  if (seconds < 90 * 60) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

std::string summary(const SweepResults& results) {
  std::string text = fmt::format("{} run{}", results.runs.size(), results.runs.size() == 1 ? "" : "s");
  const char* separator = ": ";
  for (const RunStatus status : {RunStatus::kDone, RunStatus::kRunning, RunStatus::kFailed, RunStatus::kLeft})
    if (const auto count = std::ranges::count(results.runs, status, &SweepRow::status); count > 0) {
      text += fmt::format("{}{} {}", separator, count, status_name(status));
      separator = ", ";
    }
  double seconds = 0;
  for (const SweepRow& run : results.runs) seconds += run.seconds.value_or(0);
  return text + (seconds > 0 ? fmt::format("; {} of training.", duration(seconds)) : ".");
}

std::string best_runs(const SweepResults& results) {
  std::string cards;
  for (const SweepMeasure& measure : measures_in(results)) {
    const auto best = best_run(results, measure);
    if (!best) continue;
    const SweepRow& run = results.runs[best->run];
    cards += fmt::format(
        "<div class=\"card\"><dt>{}</dt><dd><div class=\"value\">{}</div><a class=\"prompt\" "
        "href=\"#run-{}\">{}</a>{}<p>{}</p></dd></div>\n",
        html_escape(measure.best), html_number(best->value), best->run, html_escape(run.name),
        best->sharing > 1 ? fmt::format(" <span class=\"soft\">and {} more</span>", best->sharing - 1) : "",
        html_escape(measure.meaning));
  }
  if (cards.empty()) return "";
  return "<section>\n<h2>Best runs</h2>\n<dl class=\"cards\">\n" + cards + "</dl>\n</section>\n";
}

// What tells the run's files apart: without the folder, and without the run's name in front.
std::string short_name(const SweepRow& run, const std::string& file) {
  std::string name = file.starts_with(run.folder + "/") ? file.substr(run.folder.size() + 1) : file;
  if (name.size() > run.name.size() + 1 && name.starts_with(run.name + "."))
    name.erase(0, run.name.size() + 1);
  return name;
}

std::string links(const SweepRow& run) {
  std::string out;
  for (const std::string& file : run.files)
    out += fmt::format("{}<a href=\"{}\">{}</a>", out.empty() ? "" : ", ", reference(file),
                       html_escape(short_name(run, file)));
  return out;
}

// What the table shows beside name, status and seconds: found out once, since each looks at all runs.
struct Columns {
  struct Key {
    std::string name;
    bool is_number;  // all its values are, so that they sort as such
  };
  std::vector<Key> keys;
  std::vector<SweepMeasure> measures;
};

bool is_number(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

Columns columns_of(const SweepResults& results) {
  Columns columns{.keys = {}, .measures = measures_in(results)};
  for (const std::string& key : swept_keys(results))
    columns.keys.push_back({key, std::ranges::all_of(results.runs, [&](const SweepRow& run) {
                              const std::string* value = swept_value(run, key);
                              return !value || is_number(*value);
                            })});
  return columns;
}

std::string number_cell(const std::optional<double>& value) {
  if (!value || !std::isfinite(*value)) return "<td data-value=\"\">–</td>";
  return fmt::format("<td data-value=\"{}\">{}</td>", *value, html_number(*value));
}

std::string key_cell(const SweepRow& run, const Columns::Key& key) {
  const std::string* value = swept_value(run, key.name);
  if (!value) return "<td data-value=\"\">–</td>";
  const std::string text = html_escape(*value);
  return key.is_number ? fmt::format("<td data-value=\"{0}\">{0}</td>", text) : "<td>" + text + "</td>";
}

std::string table_row(const SweepRow& run, size_t index, const Columns& columns) {
  const std::string name = html_escape(run.name);
  std::string out = fmt::format(
      "<tr id=\"run-{}\"><th scope=\"row\">{}</th><td class=\"word {}\">{}</td>", index,
      run.folder.empty() ? name : fmt::format("<a href=\"{}/\">{}</a>", reference(run.folder), name),
      status_class(run.status), status_name(run.status));
  out += number_cell(run.seconds);
  for (const Columns::Key& key : columns.keys) out += key_cell(run, key);
  for (const SweepMeasure& measure : columns.measures) out += number_cell(measure_of(run, measure.name));
  return out + "<td>" + links(run) + "</td></tr>\n";
}

// Buttons in the header cells: without the script they do nothing, and the table is read as it is.
std::string table(const SweepResults& results) {
  const Columns columns = columns_of(results);
  std::string out =
      "<section>\n<h2 id=\"table\">Runs</h2>\n<p class=\"soft\">A column’s name sorts by it, and turns the "
      "order when it is used again. The pictures follow.</p>\n<p id=\"filter\" hidden><label>Only runs with "
      "<input type=\"search\" autocomplete=\"off\"></label> <output></output></p>\n"
      "<div class=\"sheet tall\" role=\"region\" aria-labelledby=\"table\" tabindex=\"0\">\n"
      "<table id=\"runs\">\n<thead><tr>";
  const auto header = [&out](const std::string& title, bool is_number) {
    out += fmt::format("<th scope=\"col\"{}><button type=\"button\">{}</button></th>",
                       is_number ? " data-kind=\"number\"" : "", html_escape(title));
  };
  header("run", false);
  header("status", false);
  header("seconds", true);
  for (const Columns::Key& key : columns.keys) header(key.name, key.is_number);
  for (const SweepMeasure& measure : columns.measures) header(measure.title, true);
  out += "<th scope=\"col\">files</th></tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < results.runs.size(); ++i) out += table_row(results.runs[i], i, columns);
  return out + "</tbody>\n</table>\n</div>\n</section>\n";
}

std::string failures(const SweepResults& results) {
  std::string rows;
  for (const SweepRow& run : results.runs)
    if (!run.error.empty())
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(run.name),
                          html_escape(run.error));
  if (rows.empty()) return "";
  return "<section>\n<h2 id=\"failed\">What failed</h2>\n<div class=\"sheet\" role=\"region\" "
         "aria-labelledby=\"failed\" tabindex=\"0\">\n<table class=\"words\">\n<tbody>\n" +
         rows + "</tbody>\n</table>\n</div>\n</section>\n";
}

std::string curves(const SweepResults& results) {
  std::string figures;
  for (const Chart& chart : sweep_charts(results)) figures += chart_figure(chart);
  if (figures.empty()) return "";
  return "<section>\n<h2>Over the settings</h2>\n<p class=\"soft\">Of the finished runs, each point a mean "
         "over "
         "the other settings; with many prompt files their median and quartiles.</p>\n<div "
         "class=\"charts\">\n" +
         figures + "</div>\n</section>\n";
}

const char* picture_type(const std::string& bytes) {
  return bytes.starts_with("\xff\xd8") ? "image/jpeg" : "image/png";
}

// Where a click on the picture leads: the run's evaluation, else the whole picture.
std::string target_of(const SweepRow& run) {
  const auto page =
      std::ranges::find_if(run.files, [](const std::string& file) { return file.ends_with(".html"); });
  return reference(page == run.files.end() ? run.picture : *page);
}

std::string pictures(const SweepResults& results, const ReadPicture& read) {
  std::string figures;
  for (size_t i = 0; i < results.runs.size(); ++i) {
    const SweepRow& run = results.runs[i];
    if (run.picture.empty()) continue;
    const std::string bytes = read(run.picture);
    const bool fits = !bytes.empty() && bytes.size() <= kMostThumbnailBytes &&
                      figures.size() + bytes.size() / 3 * 4 < kMostEmbedded;
    const std::string source =
        fits ? fmt::format("data:{};base64,{}", picture_type(bytes), base64(bytes)) : reference(run.picture);
    figures += fmt::format(
        "<figure class=\"run\" data-run=\"run-{}\"><a href=\"{}\"><img loading=\"lazy\" decoding=\"async\" "
        "alt=\"pictures of {}\" src=\"{}\"></a><figcaption>{}</figcaption></figure>\n",
        i, target_of(run), html_escape(run.name), source, html_escape(run.name));
  }
  if (figures.empty()) return "";
  return "<section>\n<h2>Pictures</h2>\n<p class=\"soft\">A row for each prompt, a column for each scale, in "
         "the "
         "order of the table.</p>\n<div class=\"runs\" id=\"pictures\">\n" +
         figures + "</div>\n</section>\n";
}

}  // namespace

std::string sweep_page(const SweepResults& results, const ReadPicture& read) {
  std::string body =
      fmt::format("<header>\n<p class=\"soft\">leco sweep</p>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n",
                  html_escape(results.name), summary(results));
  body += best_runs(results) + failures(results) + table(results) + curves(results) + pictures(results, read);
  body +=
      fmt::format("<footer>leco {}</footer>\n<script>{}</script>\n", html_escape(kVersion), kSweepPageScript);
  return html_page(results.name + " – leco sweep", body);
}

}  // namespace leco
