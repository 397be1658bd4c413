// From measures at single scales to what a LoRA may be used for.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "measure/scale_curve.h"

namespace leco {
namespace {

using Curve = std::function<double(double)>;

std::vector<ScaleMeasures> curve(
    const std::vector<double>& scales, const Curve& response,
    const Curve& drift = [](double) { return 0.0; }) {
  std::vector<ScaleMeasures> measures;
  for (const double scale : scales) {
    ScaleMeasures at;
    at.scale = scale;
    at.response = response(scale);
    at.drift = {{"a dog", drift(scale) / 2}, {"a cat", drift(scale)}};
    measures.push_back(at);
  }
  return measures;
}

const std::vector<double> kScales = {-2, -1, -0.5, 0, 0.5, 1, 2};

TEST(ScaleCurve, OfALineIsPerfectAllTheWay) {
  const CurveMeasures found = measure_curve(curve(kScales, [](double s) { return 0.7 * s; }));
  EXPECT_DOUBLE_EQ(*found.spearman, 1.0);
  EXPECT_DOUBLE_EQ(*found.symmetry, 1.0);
  EXPECT_DOUBLE_EQ(*found.slope, 0.7);
  EXPECT_EQ(found.linear_range, (ScaleRange{-2, 2}));
  EXPECT_EQ(found.recommended_range, (ScaleRange{-2, 2}));
}

TEST(ScaleCurve, IsLinearForAsLongAsItKeepsWithinAFifthOfTheLine) {
  const auto bent = [](double s) { return s > 1 ? 1.4 : s < -1 ? -1.7 : s; };
  const CurveMeasures found = measure_curve(curve(kScales, bent));
  EXPECT_DOUBLE_EQ(*found.slope, 1.0);
  EXPECT_EQ(found.linear_range, (ScaleRange{-2, 1})) << "1.4 is 30 % below 2, 1.7 is 15 % below";
  EXPECT_NEAR(*found.symmetry, 1.4 / 1.7, 1e-12);
}

TEST(ScaleCurve, FitsTheLineOnScalesUpToOneOnly) {
  const auto steep = [](double s) { return std::abs(s) > 1 ? 100 * s : s + 0.1 * s * s; };
  const auto measures = curve(kScales, steep);
  EXPECT_NEAR(*measure_curve(measures).slope, 1.0, 1e-12);  // the even part falls out
  EXPECT_EQ(measure_curve(measures).linear_range, (ScaleRange{-1, 1}));
}

TEST(ScaleCurve, ARangeEndsBeforeTheFirstScaleThatFails) {
  const auto dent = [](double s) { return s == 0.5 ? 0 : s; };
  const CurveMeasures found = measure_curve(curve({-1, -0.5, 0, 0.5, 1}, dent));
  EXPECT_EQ(found.linear_range, (ScaleRange{-1, 0})) << "1 lies behind a scale that fails";
}

TEST(ScaleCurve, RecommendsWhereEveryPreservePromptStays) {
  const auto line = [](double s) { return s; };
  EXPECT_EQ(measure_curve(curve(kScales, line, [](double s) { return 0.1 * std::abs(s); })).recommended_range,
            (ScaleRange{-1, 1}))
      << "0.1 itself still counts";
  EXPECT_EQ(measure_curve(curve(kScales, line, [](double) { return 0.5; })).recommended_range,
            (ScaleRange{0, 0}));
}

TEST(ScaleCurve, OfALoraThatDoesNothingHasNoRange) {
  const CurveMeasures found = measure_curve(curve(kScales, [](double) { return 0.0; }));
  EXPECT_FALSE(found.spearman);
  EXPECT_FALSE(found.symmetry);
  EXPECT_EQ(found.slope, 0.0);
  EXPECT_FALSE(found.linear_range);
  EXPECT_FALSE(found.recommended_range);
}

TEST(ScaleCurve, SymmetryTakesTheGreatestScaleListedWithBothSigns) {
  const auto square = [](double s) { return s > 0 ? s * s : s; };
  EXPECT_DOUBLE_EQ(*measure_curve(curve({-3, -2, 0, 2}, square)).symmetry, 0.5);
  EXPECT_FALSE(measure_curve(curve({0, 1, 2}, square)).symmetry);
}

TEST(ScaleCurve, WithoutAScaleUpToOneThereIsNoLineToFit) {
  const CurveMeasures found = measure_curve(curve({-2, 0, 2}, [](double s) { return s; }));
  EXPECT_FALSE(found.slope);
  EXPECT_FALSE(found.linear_range);
  EXPECT_DOUBLE_EQ(*found.spearman, 1.0);
}

// Values of scipy.stats.spearmanr 1.17.1.
TEST(Spearman, EqualsScipyAlsoWithTies) {
  const std::vector<double> x = {1, 2, 3, 4, 5, 6};
  EXPECT_NEAR(*spearman(x, std::vector<double>{2, 1, 4, 3, 6, 5}), 0.8285714285714287, 1e-12);
  EXPECT_NEAR(*spearman(x, std::vector<double>{1, 1, 2, 2, 2, 9}), 0.9258200997725515, 1e-12);
  EXPECT_NEAR(*spearman(x, std::vector<double>{9, 7, 7, 5, 5, 1}), -0.9710083124552246, 1e-12);
}

}  // namespace
}  // namespace leco
