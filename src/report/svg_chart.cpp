#include "report/svg_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <tuple>

#include "report/html_text.h"

namespace leco {
namespace {

constexpr double kWidth = 360, kHeight = 240;
constexpr double kRight = 8, kTop = 12, kBottom = 42;
constexpr double kInset = 10;   // of the first point, from the chart's left edge
constexpr size_t kColours = 6;  // classes s0 … s5 of the page's style

struct Axis {
  double low, high;  // values
  double from, to;   // pixels
  std::vector<double> ticks;
  double at(double value) const { return from + (value - low) / (high - low) * (to - from); }
};

// 1, 2 or 5 times a power of ten, so that about `count` of them fill the span.
double nice_step(double span, double count) {
  const double raw = span / count, power = std::pow(10, std::floor(std::log10(raw)));
  for (const double factor : {1.0, 2.0, 5.0})
    if (raw <= factor * power) return factor * power;
  return 10 * power;
}

// The values that must be seen.
Axis y_axis(const Chart& chart) {
  double low = 0, high = 0;
  if (chart.y_range) std::tie(low, high) = *chart.y_range;
  const auto show = [&](double y) {
    low = std::min(low, y);
    high = std::max(high, y);
  };
  for (const ChartSeries& series : chart.series)
    for (const auto& value : series.values)
      if (value) show(*value);
  if (chart.limit) show(chart.limit->y);
  if (chart.fit)
    for (const double x : {chart.x.front(), chart.x.back()}) show(chart.fit->slope * x);
  if (high - low < 1e-9) high = low + 1;
  const double step = nice_step(high - low, 4);
  low = std::floor(low / step + 1e-9) * step;
  high = std::ceil(high / step - 1e-9) * step;
  Axis axis{low, high, kHeight - kBottom, kTop, {}};
  for (double i = std::round(low / step); i * step <= high + step / 2; ++i) axis.ticks.push_back(i * step);
  return axis;
}

std::string x_name(const Chart& chart, double x) {
  if (chart.x_names.empty()) return html_number(x);
  return chart.x_names[std::ranges::find(chart.x, x) - chart.x.begin()];
}

// As it stands below the axis, and how wide that is, in pixels, at most.
std::string tick_label(const std::string& name) {
  constexpr size_t kMostBytes = 14;
  if (name.size() <= kMostBytes) return name;
  size_t kept = kMostBytes - 1;
  while (kept > 0 && (static_cast<unsigned char>(name[kept]) & 0xc0) == 0x80) --kept;  // no character in half
  return name.substr(0, kept) + "…";
}

double width_of(const std::string& label) {
  return 7.5 * static_cast<double>(std::ranges::count_if(
                   label, [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; }));
}

// Room for the axis' name and its longest number.
double left_edge(const Axis& y) {
  double widest = 0;
  for (const double tick : y.ticks) widest = std::max(widest, width_of(html_number(tick)));
  return std::max(44.0, 24 + widest);
}

// Ticks at the places that were measured, since nothing is known between them; those that have no room go.
Axis x_axis(const Chart& chart, double left) {
  double room = 31;
  for (const std::string& name : chart.x_names) room = std::max(room, width_of(tick_label(name)) + 6);
  Axis axis{chart.x.front(), chart.x.back(), left + kInset, kWidth - kRight - kInset, {}};
  std::vector<double> wanted = {axis.low, axis.high};
  if (chart.x_names.empty() && axis.low < 0 && axis.high > 0) wanted.push_back(0);
  wanted.insert(wanted.end(), chart.x.begin(), chart.x.end());
  for (const double x : wanted) {
    const auto is_near = [&](double tick) { return std::abs(axis.at(tick) - axis.at(x)) < room; };
    if (std::ranges::none_of(axis.ticks, is_near)) axis.ticks.push_back(x);
  }
  return axis;
}

std::string frame(const Chart& chart, const Axis& x, const Axis& y) {
  std::string out;
  const double left = x.from - kInset, right = kWidth - kRight;
  for (const double tick : y.ticks) {
    out += fmt::format("<path class=\"{}\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>",
                       std::abs(tick) < 1e-12 ? "axis" : "rule", left, y.at(tick), right);
    out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"end\">{}</text>", left - 6,
                       y.at(tick) + 4, html_number(tick));
  }
  for (const double tick : x.ticks) {
    const std::string label = tick_label(x_name(chart, tick));
    const double centre = std::min(x.at(tick), kWidth - width_of(label) / 2);
    out += fmt::format(
        "<path class=\"axis\" d=\"M{:.1f} {:.1f}v4\"/><text x=\"{:.1f}\" y=\"{:.1f}\" "
        "text-anchor=\"middle\">{}</text>",
        x.at(tick), kHeight - kBottom, centre, kHeight - kBottom + 18, html_escape(label));
  }
  out += fmt::format("<text x=\"{:.1f}\" y=\"{:.1f}\" text-anchor=\"middle\" class=\"name\">{}</text>",
                     (left + right) / 2, kHeight - 5, html_escape(chart.x_label));
  out += fmt::format(
      "<text transform=\"translate(11 {:.1f}) rotate(-90)\" text-anchor=\"middle\" class=\"name\">{}</text>",
      (kTop + kHeight - kBottom) / 2, html_escape(chart.y_label));
  return out;
}

// The band may leave the chart; an <svg> inside cuts it off.
std::string fit(const Chart::Fit& fit, const Axis& x, const Axis& y) {
  const auto point = [&](double at, double factor) {
    return fmt::format("{:.1f} {:.1f}", x.at(at), y.at(fit.slope * at * factor));
  };
  const double wide = 1 + fit.tolerance, narrow = 1 - fit.tolerance, left = x.from - kInset;
  return fmt::format(
      "<svg x=\"{0}\" y=\"{1}\" width=\"{2}\" height=\"{3}\" viewBox=\"{0} {1} {2} {3}\">"
      "<path class=\"band\" d=\"M{4}L{5}L{6}L{7}Z\"/><path class=\"fit\" d=\"M{8}L{9}\"/></svg>",
      left, kTop, kWidth - left - kRight, kHeight - kTop - kBottom, point(x.low, wide), point(x.high, wide),
      point(x.high, narrow), point(x.low, narrow), point(x.low, 1), point(x.high, 1));
}

// What lies behind the curves.
std::string ground(const Chart& chart, const Axis& x, const Axis& y) {
  std::string out;
  if (chart.x_range) {
    const double from = x.at(chart.x_range->first) - 5, to = x.at(chart.x_range->second) + 5;
    out += fmt::format(
        "<rect class=\"range\" x=\"{:.1f}\" y=\"{:.1f}\" width=\"{:.1f}\" height=\"{:.1f}\" rx=\"3\"/>", from,
        kTop, to - from, kHeight - kBottom - kTop);
  }
  if (chart.fit) out += fit(*chart.fit, x, y);
  if (chart.limit)
    out += fmt::format("<path class=\"limit\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>", x.from - kInset,
                       y.at(chart.limit->y), kWidth - kRight);
  return out;
}

// Shapes tell the series apart where colours do not.
std::string marker(size_t index, double x, double y, const std::string& tip) {
  const std::string title = fmt::format("<title>{}</title>", html_escape(tip));
  switch (index % 3) {
    case 0:
      return fmt::format("<circle cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"4\">{}</circle>", x, y, title);
    case 1:
      return fmt::format("<rect x=\"{:.1f}\" y=\"{:.1f}\" width=\"7\" height=\"7\">{}</rect>", x - 3.5,
                         y - 3.5, title);
    default:
      return fmt::format("<path class=\"dot\" d=\"M{:.1f} {:.1f}l5 8.6h-10z\">{}</path>", x, y - 5.5, title);
  }
}

std::string curve(const Chart& chart, size_t index, const Axis& x, const Axis& y) {
  const ChartSeries& series = chart.series[index];
  std::string line, markers;
  bool is_open = false;
  for (size_t i = 0; i < chart.x.size(); ++i) {
    const auto& value = series.values[i];
    if (value) {
      line += fmt::format("{}{:.1f} {:.1f}", is_open ? "L" : "M", x.at(chart.x[i]), y.at(*value));
      markers += marker(index, x.at(chart.x[i]), y.at(*value),
                        fmt::format("{} at {} {}: {}", series.name, chart.x_label, x_name(chart, chart.x[i]),
                                    html_number(*value)));
    }
    is_open = value.has_value();
  }
  return fmt::format("<g class=\"s{}\"><path class=\"line\" d=\"{}\"/>{}</g>", index % kColours, line,
                     markers);
}

std::string legend(const Chart& chart) {
  const size_t drawn = chart.series.size() + (chart.fit ? 1 : 0) + (chart.limit ? 1 : 0);
  if (drawn < 2) return "";
  std::string out = "<ul class=\"legend\">";
  for (size_t i = 0; i < chart.series.size(); ++i)
    out += fmt::format(
        "<li class=\"s{}\"><svg viewBox=\"0 0 22 12\" aria-hidden=\"true\"><path class=\"line\" d=\"M1 "
        "6H21\"/>"
        "{}</svg>{}</li>",
        i % kColours, marker(i, 11, 6, chart.series[i].name), html_escape(chart.series[i].name));
  const auto dashed = [&](const char* kind, const std::string& name) {
    out += fmt::format(
        "<li><svg viewBox=\"0 0 22 12\" aria-hidden=\"true\"><path class=\"{}\" d=\"M1 6H21\"/></svg>{}</li>",
        kind, html_escape(name));
  };
  if (chart.fit) dashed("fit", chart.fit->name);
  if (chart.limit) dashed("limit", chart.limit->name);
  return out + "</ul>";
}

// All values, for those who cannot see the curves.
std::string description(const Chart& chart) {
  std::string text = chart.title + ".";
  for (const ChartSeries& series : chart.series) {
    text += fmt::format(" {}:", series.name);
    for (size_t i = 0; i < chart.x.size(); ++i)
      if (series.values[i])
        text += fmt::format(" {} at {} {};", html_number(*series.values[i]), chart.x_label,
                            x_name(chart, chart.x[i]));
  }
  return text;
}

}  // namespace

std::string chart_figure(const Chart& chart) {
  const Axis y = y_axis(chart), x = x_axis(chart, left_edge(y));
  std::string curves;
  for (size_t i = 0; i < chart.series.size(); ++i) curves += curve(chart, i, x, y);
  return fmt::format(
      "<figure class=\"chart\"><figcaption><h3>{}</h3><p>{}</p></figcaption>\n"
      "<svg viewBox=\"0 0 {} {}\" role=\"img\" aria-label=\"{}\">{}{}{}</svg>\n{}</figure>\n",
      html_escape(chart.title), html_escape(chart.note), kWidth, kHeight, html_escape(description(chart)),
      ground(chart, x, y), frame(chart, x, y), curves, legend(chart));
}

}  // namespace leco
