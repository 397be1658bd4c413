#include <fmt/format.h>

#include <algorithm>

#include "core/version.h"
#include "report/evaluation_report.h"
#include "report/evaluation_verdict.h"
#include "report/html_text.h"
#include "report/page_style.h"
#include "report/svg_chart.h"

namespace leco {
namespace {

const char* grade_class(Grade grade) {
  switch (grade) {
    case Grade::kGood:
      return "good";
    case Grade::kFair:
      return "fair";
    case Grade::kPoor:
      return "poor";
    case Grade::kNone:
      return "soft";
  }
  return "soft";
}

bool is_usual(const EvaluationReport& report, double scale) {
  const auto& range = report.curve.recommended_range;
  return range && range->from != range->to && scale >= range->from && scale <= range->to;
}

std::string head(const EvaluationReport& report) {
  const Verdict verdict = judge(report);
  std::string out = fmt::format("<header>\n<p class=\"soft\">leco evaluate</p>\n<h1>{}</h1>\n</header>\n",
                                html_escape(report.lora));
  out += "<section aria-label=\"Verdict\">\n<div class=\"verdict\">\n";
  for (const std::string& sentence : verdict.sentences)
    out += fmt::format("<p>{}</p>\n", html_escape(sentence));
  out += "</div>\n<dl class=\"cards\">\n";
  for (const Finding& finding : verdict.findings)
    out += fmt::format(
        "<div class=\"card\"><dt>{}</dt><dd><div class=\"value\">{}</div><span class=\"word {}\">{}</span>"
        "<p>{}</p></dd></div>\n",
        html_escape(finding.name), html_escape(finding.value), grade_class(finding.grade),
        html_escape(finding.word), html_escape(finding.explanation));
  return out + "</dl>\n</section>\n";
}

// A series from one member of the measures.
template <typename Value>
ChartSeries series(const EvaluationReport& report, std::string name, const Value& value) {
  ChartSeries series{.name = std::move(name), .values = {}};
  for (const ScaleMeasures& measures : report.scales) series.values.push_back(value(measures));
  return series;
}

Chart blank(const EvaluationReport& report, std::string title, std::string note, std::string y_label) {
  Chart chart{.title = std::move(title),
              .note = std::move(note),
              .y_label = std::move(y_label),
              .x = {},
              .series = {}};
  for (const ScaleMeasures& measures : report.scales) chart.x.push_back(measures.scale);
  if (const auto& range = report.curve.recommended_range; range && range->from != range->to)
    chart.x_range = {range->from, range->to};
  return chart;
}

std::string prompt_name(const std::string& prompt) {
  return prompt.empty() ? "the empty prompt" : prompt;
}

std::vector<Chart> charts(const EvaluationReport& report) {
  using Measures = ScaleMeasures;
  std::vector<Chart> all;
  Chart& response = all.emplace_back(
      blank(report, "Response", "Movement along the wanted direction; 1 is as far as its two prompts differ.",
            "response"));
  response.series = {series(report, "response", [](const Measures& m) { return std::optional(m.response); })};
  if (report.curve.slope && *report.curve.slope != 0)
    response.fit = {
        *report.curve.slope, kLinearTolerance,
        fmt::format("{} × scale, ±{:.0f} %", html_number(*report.curve.slope), 100 * kLinearTolerance)};

  Chart& purity = all.emplace_back(
      blank(report, "On and off the axis",
            "Cosine: 1 or −1 is straight along the direction. Off-axis: the share across it.", "share"));
  purity.series = {series(report, "cosine", [](const Measures& m) { return m.cosine; }),
                   series(report, "off-axis", [](const Measures& m) { return m.off_axis; })};
  purity.y_range = {-1, 1};

  if (!report.scales.front().drift.empty()) {
    Chart& drift = all.emplace_back(blank(
        report, "Drift", "How much the preserve prompts’ predictions change, against their size.", "drift"));
    for (size_t i = 0; i < report.scales.front().drift.size(); ++i)
      drift.series.push_back(series(report, prompt_name(report.scales.front().drift[i].first),
                                    [i](const Measures& m) { return std::optional(m.drift[i].second); }));
    drift.limit = {kMostDrift, "most that is recommended"};
  }
  all.push_back(blank(report, "Pixel distance", "Mean difference to the pictures at scale 0, of 255 steps.",
                      "pixel values"));
  all.back().series = {
      series(report, "pixel distance", [](const Measures& m) { return std::optional(m.pixel_distance); })};
  all.push_back(blank(report, "Likeness (SSIM)",
                      "Structural similarity to the pictures at scale 0; 1 is the same picture.", "SSIM"));
  all.back().series = {series(report, "SSIM", [](const Measures& m) { return std::optional(m.ssim); })};
  all.back().y_range = {0, 1};
  if (report.scales.front().clip) {
    all.push_back(blank(report, "ΔCLIP", "How much better the pictures fit each prompt than at scale 0.",
                        "100 × cosine"));
    all.back().series = {series(report, "to the positive prompt",
                                [](const Measures& m) { return std::optional(m.clip->positive); }),
                         series(report, "to the negative prompt",
                                [](const Measures& m) { return std::optional(m.clip->negative); })};
  }
  return all;
}

std::string pictures(const EvaluationReport& report) {
  std::string out =
      "<h2 id=\"pictures\">Pictures</h2>\n<p class=\"soft\">A column for each scale, one noise a row. "
      "Underlined "
      "scales are recommended.</p>\n";
  out +=
      "<div class=\"sheet\" role=\"region\" aria-labelledby=\"pictures\" tabindex=\"0\">\n<table "
      "class=\"pictures\">\n"
      "<thead><tr><td></td>";
  for (const ScaleMeasures& measures : report.scales)
    out +=
        fmt::format("<th scope=\"col\"{}>{}</th>", is_usual(report, measures.scale) ? " class=\"usual\"" : "",
                    html_number(measures.scale));
  out += "</tr></thead>\n<tbody>\n";
  for (const auto& row : report.pictures) {
    out += fmt::format("<tr><th scope=\"row\">{}{}</th>", html_escape(prompt_name(row.prompt)),
                       row.is_preserved ? "<br><span class=\"soft\">to preserve</span>" : "");
    for (size_t i = 0; i < row.pngs.size(); ++i)
      out += fmt::format(
          "<td><img{} width=\"{}\" height=\"{}\" alt=\"{} at scale {}\" "
          "src=\"data:image/png;base64,{}\"></td>",
          report.keeps_pixels ? " class=\"small\"" : "", report.picture_width, report.picture_height,
          html_escape(prompt_name(row.prompt)), html_number(report.scales[i].scale), base64(row.pngs[i]));
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string numbers(const EvaluationReport& report) {
  const ScaleMeasures& first = report.scales.front();
  const auto shown = [](const std::optional<double>& value) { return value ? html_number(*value) : "–"; };
  const auto range = [](const std::optional<ScaleRange>& at) { return at ? range_text(*at) : "–"; };
  std::string out = fmt::format(
      "<h2 id=\"numbers\">Numbers</h2>\n<p class=\"soft\">Spearman {}, symmetry {}, slope {}, linear range "
      "{}, "
      "recommended range {} (shaded).</p>\n",
      shown(report.curve.spearman), shown(report.curve.symmetry), shown(report.curve.slope),
      range(report.curve.linear_range), range(report.curve.recommended_range));
  out += "<div class=\"sheet\" role=\"region\" aria-labelledby=\"numbers\" tabindex=\"0\">\n<table>\n";
  out += "<thead><tr>";
  const auto column = [&](const std::string& name) {
    out += fmt::format("<th scope=\"col\">{}</th>", html_escape(name));
  };
  for (const char* name : {"scale", "response", "cosine", "off-axis"}) column(name);
  for (const auto& [prompt, value] : first.drift) column("drift: " + prompt_name(prompt));
  for (const char* name : {"pixel distance", "SSIM"}) column(name);
  if (first.clip)
    for (const char* name : {"ΔCLIP positive", "ΔCLIP negative"}) column(name);
  out += "</tr></thead>\n<tbody>\n";
  for (const ScaleMeasures& m : report.scales) {
    out += fmt::format("<tr{}><th scope=\"row\">{}</th>", is_usual(report, m.scale) ? " class=\"usual\"" : "",
                       html_number(m.scale));
    std::vector<std::optional<double>> cells = {m.response, m.cosine, m.off_axis};
    for (const auto& [prompt, value] : m.drift) cells.emplace_back(value);
    cells.insert(cells.end(), {m.pixel_distance, m.ssim});
    if (m.clip) cells.insert(cells.end(), {m.clip->positive, m.clip->negative});
    for (const auto& cell : cells) out += fmt::format("<td>{}</td>", shown(cell));
    out += "</tr>\n";
  }
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string words_table(const std::string& id, const std::vector<std::pair<std::string, std::string>>& rows) {
  std::string out = fmt::format(
      "<div class=\"sheet\" role=\"region\" aria-labelledby=\"{}\" tabindex=\"0\">\n<table "
      "class=\"words\">\n<tbody>\n",
      id);
  for (const auto& [name, value] : rows)
    out += fmt::format("<tr><th scope=\"row\">{}</th><td>{}</td></tr>\n", html_escape(name),
                       value.empty() ? "–" : html_escape(value));
  return out + "</tbody>\n</table>\n</div>\n";
}

std::string directions(const EvaluationReport& report) {
  std::vector<std::pair<std::string, std::string>> rows;
  for (const PromptDirection& direction : report.directions) {
    const bool forward = direction.sign > 0;
    rows.emplace_back(
        fmt::format("at “{}”", direction.target),
        fmt::format("from “{}” to “{}”, {} × {} pixels", forward ? direction.negative : direction.positive,
                    forward ? direction.positive : direction.negative, direction.resolution.height,
                    direction.resolution.width));
  }
  return "<h2 id=\"directions\">Directions</h2>\n" + words_table("directions", rows);
}

constexpr const char* kTerms = R"(<details><summary>What the numbers mean</summary>
<dl class="terms">
<dt>Response</dt><dd>The model’s own difference between the two prompts of a direction is the measure: the part of the
LoRA’s change that lies along it, in its lengths. 1 at scale 1: the LoRA does what changing the prompt would do.</dd>
<dt>Cosine and off-axis</dt><dd>How much of the LoRA’s whole change lies along the direction, and how much across it. Something
across is normal: the model has thousands of dimensions and the prompts differ in more than the concept.</dd>
<dt>Drift</dt><dd>The size of the LoRA’s change at a prompt that should stay, against the size of the prediction there.</dd>
<dt>Spearman</dt><dd>1 when a greater scale always gives a greater response.</dd>
<dt>Symmetry</dt><dd>The weaker of the two greatest scales’ responses over the stronger.</dd>
<dt>Linear range</dt><dd>The scales about 0 at which the response keeps within 20 % of the straight line.</dd>
<dt>Recommended range</dt><dd>The part of it at which no preserve prompt drifts by more than 0.1.</dd>
<dt>Pixel distance, SSIM</dt><dd>How far the drawn pictures are from those at scale 0. They say how much changes, not what.</dd>
<dt>ΔCLIP</dt><dd>How much better CLIP finds the pictures to fit a prompt than at scale 0.</dd>
</dl></details>
)";

}  // namespace

std::string evaluation_page(const EvaluationReport& report) {
  std::string body = head(report);
  body +=
      "<section>\n<h2>Curves</h2>\n<p class=\"soft\">Over the scale of the LoRA. The shaded part is the "
      "recommended range.</p>\n<div class=\"charts\">\n";
  for (const Chart& chart : charts(report)) body += chart_figure(chart);
  body += "</div>\n";
  body += kTerms;
  body += "</section>\n<section>\n" + pictures(report) + "</section>\n<section>\n" + numbers(report) +
          "</section>\n<section>\n" + directions(report) + "</section>\n";
  body += "<section>\n<h2 id=\"settings\">Settings</h2>\n" + words_table("settings", report.settings) +
          "</section>\n";
  body += fmt::format("<footer>leco {}</footer>\n", html_escape(kVersion));
  return html_page(report.lora + " – leco evaluate", body);
}

}  // namespace leco
