#include "measure/scale_curve.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/error.h"

namespace leco {
namespace {

std::vector<double> ranks(std::span<const double> values) {
  std::vector<size_t> order(values.size());
  std::iota(order.begin(), order.end(), size_t{0});
  std::ranges::sort(order, {}, [&](size_t i) { return values[i]; });
  std::vector<double> ranks(values.size());
  for (size_t first = 0; first < order.size();) {
    size_t end = first;
    while (end < order.size() && values[order[end]] == values[order[first]]) ++end;
    const double shared = (static_cast<double>(first) + static_cast<double>(end) - 1.0) / 2.0;
    for (; first < end; ++first) ranks[order[first]] = shared;
  }
  return ranks;
}

// About the means.
double product_sum(std::span<const double> x, std::span<const double> y) {
  const double n = static_cast<double>(x.size());
  const double x_mean = std::accumulate(x.begin(), x.end(), 0.0) / n;
  const double y_mean = std::accumulate(y.begin(), y.end(), 0.0) / n;
  double sum = 0;
  for (size_t i = 0; i < x.size(); ++i) sum += (x[i] - x_mean) * (y[i] - y_mean);
  return sum;
}

std::optional<double> symmetry_of(std::span<const ScaleMeasures> scales) {
  for (const ScaleMeasures& end :
       scales) {  // ascending: the first negative one with a partner is the greatest
    if (end.scale >= 0) return std::nullopt;
    const auto partner = std::ranges::find(scales, -end.scale, &ScaleMeasures::scale);
    if (partner == scales.end()) continue;
    const auto [low, high] = std::minmax({std::abs(end.response), std::abs(partner->response)});
    if (high == 0) return std::nullopt;
    return low / high;
  }
  return std::nullopt;
}

std::optional<double> slope_of(std::span<const ScaleMeasures> scales) {
  double product = 0, square = 0;
  for (const ScaleMeasures& at : scales) {
    if (std::abs(at.scale) > 1) continue;
    product += at.scale * at.response;
    square += at.scale * at.scale;
  }
  if (square == 0) return std::nullopt;
  return product / square;
}

// The scales from 0 outwards, both ways, for as long as they pass.
template <typename Passes>
ScaleRange run_about_zero(std::span<const ScaleMeasures> scales, const Passes& passes) {
  const auto zero = std::ranges::find(scales, 0.0, &ScaleMeasures::scale);
  auto first = zero, last = zero;
  while (first != scales.begin() && passes(*std::prev(first))) --first;
  while (std::next(last) != scales.end() && passes(*std::next(last))) ++last;
  return {first->scale, last->scale};
}

}  // namespace

double ScaleMeasures::greatest_drift() const {
  double greatest = 0;
  for (const auto& [prompt, value] : drift) greatest = std::max(greatest, value);
  return greatest;
}

std::optional<double> spearman(std::span<const double> x, std::span<const double> y) {
  const std::vector<double> rx = ranks(x), ry = ranks(y);
  const double spread = product_sum(rx, rx) * product_sum(ry, ry);
  if (!(spread > 0)) return std::nullopt;
  return product_sum(rx, ry) / std::sqrt(spread);
}

CurveMeasures measure_curve(std::span<const ScaleMeasures> scales) {
  LECO_ASSERT(std::ranges::find(scales, 0.0, &ScaleMeasures::scale) != scales.end());
  std::vector<double> at, response;
  for (const ScaleMeasures& measures : scales) {
    at.push_back(measures.scale);
    response.push_back(measures.response);
  }
  CurveMeasures curve{.spearman = spearman(at, response),
                      .symmetry = symmetry_of(scales),
                      .slope = slope_of(scales),
                      .linear_range = {},
                      .recommended_range = {}};
  if (curve.slope.value_or(0) == 0) return curve;
  const auto is_linear = [r = *curve.slope](const ScaleMeasures& measures) {
    const double fitted = r * measures.scale;
    return std::abs(measures.response - fitted) <= kLinearTolerance * std::abs(fitted);
  };
  curve.linear_range = run_about_zero(scales, is_linear);
  curve.recommended_range = run_about_zero(scales, [&](const ScaleMeasures& measures) {
    return is_linear(measures) && measures.greatest_drift() <= kMostDrift;
  });
  return curve;
}

}  // namespace leco
