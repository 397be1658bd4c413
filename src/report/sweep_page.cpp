#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>

#include "core/version.h"
#include "report/html_text.h"
#include "report/page_style.h"
#include "report/sweep_measures.h"
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
    case RunStatus::kOther:
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
  for (const RunStatus status :
       {RunStatus::kDone, RunStatus::kRunning, RunStatus::kFailed, RunStatus::kLeft, RunStatus::kOther})
    if (const auto count = std::ranges::count(results.runs, status, &SweepRow::status); count > 0) {
      text += fmt::format("{}{} {}", separator, count, status_name(status));
      separator = ", ";
    }
  double seconds = 0;
  for (const SweepRow& run : results.runs) seconds += run.seconds.value_or(0);
  return text + (seconds > 0 ? fmt::format("; {} of training.", duration(seconds)) : ".");
}

// A name that is long breaks between its settings, not within a number.
std::string breakable(const std::string& name) {
  std::string out = html_escape(name);
  constexpr std::string_view kBreak = "<wbr>";
  for (size_t at = out.find(','); at != std::string::npos; at = out.find(',', at + kBreak.size()))
    out.insert(at + 1, kBreak);
  return out;
}

// A value that all runs have distinguishes none.
bool tells_apart(const SweepResults& results, const SweepMeasure& measure, const BestRun& best) {
  const auto has_it = [&](const SweepRow& run) {
    return run.status == RunStatus::kDone && measure_of(run, measure.name).has_value();
  };
  return best.sharing < static_cast<size_t>(std::ranges::count_if(results.runs, has_it));
}

std::string holders(const SweepResults& results, const SweepMeasure& measure, const BestRun& best) {
  if (best.sharing > 1 && !tells_apart(results, measure, best))
    return fmt::format("<span class=\"soft\">all {} runs alike</span>", best.sharing);
  return fmt::format(
      "<a class=\"prompt\" href=\"#run-{}\">{}</a>{}", best.run, breakable(results.runs[best.run].name),
      best.sharing > 1 ? fmt::format(" <span class=\"soft\">and {} more</span>", best.sharing - 1) : "");
}

std::string best_runs(const SweepResults& results) {
  std::string cards;
  for (const SweepMeasure& measure : measures_in(results))
    if (const auto best = best_run(results, measure))
      cards += fmt::format(
          "<div class=\"card\"><dt>{}</dt><dd><div class=\"value\">{}</div>{}<p>{}</p></dd></div>\n",
          html_escape(measure.best), html_number(best->value), holders(results, measure, *best),
          html_escape(measure.meaning));
  if (cards.empty()) return "";
  return "<section id=\"best\">\n<h2>Best runs</h2>\n<dl class=\"cards\">\n" + cards + "</dl>\n</section>\n";
}

// What tells the run's files apart: without the folder, and without the run's name in front.
std::string short_name(const SweepRow& run, const std::string& file) {
  std::string name = file.starts_with(run.folder + "/") ? file.substr(run.folder.size() + 1) : file;
  if (name.size() > run.name.size() + 1 && name.starts_with(run.name + "."))
    name.erase(0, run.name.size() + 1);
  return name == std::string(kEvaluationFolder) + "/report.html" ? kEvaluationFolder : name;
}

std::string links(const SweepRow& run, size_t index) {
  std::string out;
  if (!run.picture.empty()) out = fmt::format("<a href=\"#picture-{}\">picture</a>", index);
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
  struct Measure {
    SweepMeasure measure;
    std::optional<double> best;  // where it tells runs apart
  };
  std::vector<Key> keys;
  std::vector<Measure> measures;
};

bool is_number(const std::string& text) {
  double value = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

Columns columns_of(const SweepResults& results) {
  Columns columns;
  for (const SweepMeasure& measure : measures_in(results)) {
    const auto best = best_run(results, measure);
    const bool is_shown = best && tells_apart(results, measure, *best);
    columns.measures.push_back({measure, is_shown ? std::optional(best->value) : std::nullopt});
  }
  for (const std::string& key : swept_keys(results))
    columns.keys.push_back({key, std::ranges::all_of(results.runs, [&](const SweepRow& run) {
                              const std::string* value = swept_value(run, key);
                              return !value || is_number(*value);
                            })});
  return columns;
}

std::string number_cell(const std::optional<double>& value, bool is_best = false) {
  if (!value || !std::isfinite(*value)) return "<td data-value=\"\">–</td>";
  return fmt::format("<td{} data-value=\"{}\">{}</td>", is_best ? " class=\"word good\"" : "", *value,
                     html_number(*value));
}

std::string key_cell(const SweepRow& run, const Columns::Key& key) {
  const std::string* value = swept_value(run, key.name);
  if (!value) return "<td data-value=\"\">–</td>";
  const std::string text = html_escape(*value);
  return key.is_number ? fmt::format("<td data-value=\"{0}\">{0}</td>", text) : "<td>" + text + "</td>";
}

std::string table_row(const SweepRow& run, size_t index, const Columns& columns) {
  const std::string name = breakable(run.name);
  std::string out = fmt::format(
      "<tr id=\"run-{}\"><th scope=\"row\">{}</th><td class=\"word {}\">{}</td>", index,
      run.folder.empty() ? name : fmt::format("<a href=\"{}/\">{}</a>", reference(run.folder), name),
      status_class(run.status), status_name(run.status));
  out += number_cell(run.seconds);
  for (const Columns::Key& key : columns.keys) out += key_cell(run, key);
  for (const auto& [measure, best] : columns.measures) {
    const auto value = measure_of(run, measure.name);
    out += number_cell(value, run.status == RunStatus::kDone && value && value == best);
  }
  return out + "<td>" + links(run, index) + "</td></tr>\n";
}

// Buttons in the header cells: without the script they do nothing, and the table is read as it is.
std::string table(const SweepResults& results) {
  const Columns columns = columns_of(results);
  std::string out =
      "<section id=\"all\">\n<h2 id=\"table\">Runs</h2>\n<p class=\"soft\">A column’s name sorts by it, and "
      "turns the "
      "order when it is used again. The pictures follow.</p>\n<div class=\"sheet tall\" role=\"region\" "
      "aria-labelledby=\"table\" tabindex=\"0\">\n"
      "<table id=\"runs\">\n<thead><tr>";
  const auto header = [&out](const std::string& title, bool is_number) {
    out += fmt::format("<th scope=\"col\"{}><button type=\"button\">{}</button></th>",
                       is_number ? " data-kind=\"number\"" : "", html_escape(title));
  };
  header("run", false);
  header("status", false);
  header("seconds", true);
  for (const Columns::Key& key : columns.keys) header(key.name, key.is_number);
  for (const auto& [measure, best] : columns.measures) header(measure.title, true);
  out += "<th scope=\"col\">files</th></tr></thead>\n<tbody>\n";
  for (size_t i = 0; i < results.runs.size(); ++i) out += table_row(results.runs[i], i, columns);
  return out + "</tbody>\n</table>\n</div>\n</section>\n";
}

// A run a line, with what there is to say of it.
std::string reasons(const SweepResults& results, RunStatus status, const char* id, const char* title) {
  std::string rows;
  for (const SweepRow& run : results.runs)
    if (run.status == status && !run.error.empty())
      rows += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", breakable(run.name),
                          html_escape(run.error));
  if (rows.empty()) return "";
  return fmt::format(
      "<section id=\"{0}\">\n<h2 id=\"{0}-title\">{1}</h2>\n<div class=\"sheet tall low\" role=\"region\" "
      "aria-labelledby=\"{0}-title\" tabindex=\"0\">\n<table class=\"words\">\n<tbody>\n{2}</tbody>\n"
      "</table>\n</div>\n</section>\n",
      id, title, rows);
}

std::string curves(const SweepResults& results) {
  std::string figures;
  for (const Chart& chart : sweep_charts(results)) figures += chart_figure(chart);
  if (figures.empty()) return "";
  return "<section id=\"settings\">\n<h2>Over the settings</h2>\n<p class=\"soft\">Of the finished runs, "
         "each point a mean "
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
        "<figure class=\"run\" id=\"picture-{0}\" data-run=\"run-{0}\"><a href=\"{1}\"><img loading=\"lazy\" "
        "decoding=\"async\" alt=\"pictures of {2}\" src=\"{3}\"></a><figcaption><a href=\"#run-{0}\">{4}</a> "
        "<span class=\"soft\"></span></figcaption></figure>\n",
        i, target_of(run), html_escape(run.name), source, breakable(run.name));
  }
  if (figures.empty()) return "";
  return "<section id=\"seen\">\n<h2>Pictures</h2>\n<p class=\"soft\">A row for each prompt, a column for "
         "each scale, in the order of the table, with what it is sorted by.</p>\n<div class=\"runs\" "
         "id=\"pictures\">\n" +
         figures + "</div>\n</section>\n";
}

// Stays in sight: where the parts of the page are, and which runs it shows.
std::string bar(const std::string& parts) {
  std::string out = "<nav class=\"bar\" aria-label=\"parts of the page\">\n";
  for (const auto& [id, title] : {std::pair{"best", "Best"},
                                  {"failures", "Failed"},
                                  {"others", "Other settings"},
                                  {"all", "Runs"},
                                  {"settings", "Settings"},
                                  {"seen", "Pictures"}})
    if (parts.find(fmt::format("<section id=\"{}\">", id)) != std::string::npos)
      out += fmt::format("<a href=\"#{}\">{}</a>\n", id, title);
  return out +
         "<p id=\"filter\" hidden><label>Only runs with <input type=\"search\" autocomplete=\"off\"></label> "
         "<output></output></p>\n</nav>\n";
}

}  // namespace

std::string sweep_page(const SweepResults& results, const ReadPicture& read) {
  std::string body =
      fmt::format("<header>\n<p class=\"soft\">leco sweep</p>\n<h1>{}</h1>\n<p>{}</p>\n</header>\n",
                  html_escape(results.name), summary(results));
  const std::string parts = best_runs(results) +
                            reasons(results, RunStatus::kFailed, "failures", "What failed") +
                            reasons(results, RunStatus::kOther, "others", "Finished with other settings") +
                            table(results) + curves(results) + pictures(results, read);
  body += bar(parts) + parts;
  body +=
      fmt::format("<footer>leco {}</footer>\n<script>{}</script>\n", html_escape(kVersion), kSweepPageScript);
  return html_page(results.name + " – leco sweep", body);
}

}  // namespace leco
