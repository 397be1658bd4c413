// Curves over a LoRA's scale, or over a setting, as inline SVG, drawn with the page's own colours
// (report/page_style.h), so that they follow its light and dark form.
#pragma once

#include <optional>
#include <string>
#include <vector>

namespace leco {

struct ChartSeries {
  std::string name;
  std::vector<std::optional<double>> values;  // at each x; a gap where there is none
};

struct Chart {
  std::string title, note;  // the note, a sentence below the title, says how to read it
  std::string y_label;
  std::vector<double> x;  // ascending, two or more
  std::string x_label = "scale";
  std::vector<std::string> x_names = {};  // what to call each x; empty: by its number
  std::vector<ChartSeries> series;
  struct Fit {
    double slope, tolerance;  // the line y = slope·x, and about it a band of tolerance·|y|
    std::string name;
  };
  std::optional<Fit> fit = {};
  std::optional<std::pair<double, double>> x_range = {};  // shaded
  struct Limit {
    double y;
    std::string name;
  };
  std::optional<Limit> limit = {};  // a dashed line across
  std::optional<std::pair<double, double>> y_range =
      {};  // shown at least; without it: what the values need, and 0
};

// A <figure>: title, note, a legend where more than one thing is drawn, and the <svg role="img"> with a
// description of its values. Points carry theirs as tooltips.
std::string chart_figure(const Chart& chart);

}  // namespace leco
