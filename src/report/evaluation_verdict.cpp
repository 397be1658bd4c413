#include "report/evaluation_verdict.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "report/html_text.h"

namespace leco {
namespace {

// Below this share of the model's own difference between the prompts an effect is hard to see.
constexpr double kHardlyAnything = 0.02, kWeak = 0.25, kVeryStrong = 3.0;

const ScaleMeasures* at_scale(const EvaluationReport& report, double scale) {
  const auto found = std::ranges::find(report.scales, scale, &ScaleMeasures::scale);
  return found == report.scales.end() ? nullptr : &*found;
}

std::string percent(double share) {
  return fmt::format("{:.0f}\u00a0%", 100 * share);
}

// "63 % of", "2.4 times".
std::string times(double slope) {
  const double size = std::abs(slope);
  return size < 1 ? percent(size) + " of" : html_number(std::round(100 * size) / 100) + " times";
}

Finding strength(const EvaluationReport& report) {
  Finding finding{.name = "Strength",
                  .value = "–",
                  .word = "not measured",
                  .explanation = "No listed scale other than 0 lies between −1 and 1."};
  if (!report.curve.slope) return finding;
  const double slope = *report.curve.slope;
  finding.value = html_number(std::round(100 * slope) / 100);
  finding.explanation = fmt::format(
      "Scale 1 moves the prediction along the direction by {} its prompts’ own difference.", times(slope));
  const auto grade = [&](Grade colour, const char* word) {
    finding.grade = colour;
    finding.word = word;
    return finding;
  };
  if (std::abs(slope) < kHardlyAnything) return grade(Grade::kPoor, "hardly any effect");
  if (slope < 0) return grade(Grade::kPoor, "the wrong way round");
  if (slope < kWeak) return grade(Grade::kFair, "weak");
  if (slope > kVeryStrong) return grade(Grade::kFair, "very strong");
  return grade(Grade::kGood, "clear");
}

// Why the recommended range ends where it ends.
std::string range_limits(const EvaluationReport& report) {
  const ScaleRange recommended = *report.curve.recommended_range, linear = *report.curve.linear_range;
  if (!(recommended == linear))
    return fmt::format("Beyond it a preserve prompt moves by more than {}.", percent(kMostDrift));
  if (recommended == ScaleRange{report.scales.front().scale, report.scales.back().scale})
    return "All listed scales: wider ones were not tried.";
  return fmt::format("Beyond it the response is more than {} off the straight line.",
                     percent(kLinearTolerance));
}

Finding recommended(const EvaluationReport& report) {
  Finding finding{.name = "Recommended scales",
                  .value = "none",
                  .grade = Grade::kPoor,
                  .word = "",
                  .explanation = "Without a response there is no range."};
  if (!report.curve.recommended_range) return finding;
  const ScaleRange range = *report.curve.recommended_range;
  finding.explanation = range_limits(report);
  if (range.from == range.to) {
    finding.word = "no listed scale but 0";
    return finding;
  }
  finding.value = range_text(range);
  const bool reaches = range.to >= 1 || range.to == report.scales.back().scale;
  finding.grade = reaches ? Grade::kGood : Grade::kFair;
  finding.word = reaches ? "usable" : "narrow";
  return finding;
}

Finding symmetry(const EvaluationReport& report) {
  Finding finding{.name = "Symmetry",
                  .value = "–",
                  .word = "not measured",
                  .explanation = "No scale with a response is listed with both signs."};
  if (!report.curve.symmetry) return finding;
  const double value = *report.curve.symmetry;
  finding.value = fmt::format("{:.2f}", value);
  finding.grade = value >= 0.8 ? Grade::kGood : value >= 0.5 ? Grade::kFair : Grade::kPoor;
  finding.word = value >= 0.8 ? "even" : value >= 0.5 ? "uneven" : "one-sided";
  double greatest = 0;
  for (const ScaleMeasures& measures : report.scales)
    if (at_scale(report, -measures.scale) && measures.scale > greatest) greatest = measures.scale;
  const double high = std::abs(at_scale(report, greatest)->response),
               low = std::abs(at_scale(report, -greatest)->response);
  finding.explanation = fmt::format(
      "At scales −{0} and {0} the responses are {1} and {2} in size{3}.", html_number(greatest),
      html_number(low), html_number(high),
      value >= 0.8 ? "" : fmt::format("; the {} side is the weaker", low < high ? "negative" : "positive"));
  return finding;
}

// At 1, or at the listed positive scale nearest to it.
Finding precision(const EvaluationReport& report) {
  Finding finding{.name = "Precision",
                  .value = "–",
                  .word = "not measured",
                  .explanation = "At no positive scale does the LoRA change anything."};
  const ScaleMeasures* chosen = nullptr;
  for (const ScaleMeasures& measures : report.scales) {
    if (measures.scale <= 0 || !measures.cosine) continue;
    if (!chosen || std::abs(measures.scale - 1) < std::abs(chosen->scale - 1)) chosen = &measures;
  }
  if (!chosen) return finding;
  const double cosine = *chosen->cosine;
  finding.value = html_number(std::round(100 * cosine) / 100);
  finding.grade = cosine >= 0.5 ? Grade::kGood : cosine >= 0.2 ? Grade::kFair : Grade::kPoor;
  finding.word = cosine >= 0.5 ? "on target" : cosine >= 0.2 ? "mixed" : "mostly beside";
  finding.explanation = fmt::format(
      "Cosine between what the LoRA does at scale {} and the wanted direction; {} of the change "
      "lies across it.",
      html_number(chosen->scale), percent(*chosen->off_axis));
  return finding;
}

std::string what_it_does(const EvaluationReport& report) {
  const PromptDirection& first = report.directions.front();
  const bool more = report.directions.size() > 1;
  const std::string where = first.target.empty() ? "any prompt" : fmt::format("“{}”", first.target);
  const auto name = [](const std::string& prompt) {
    return prompt.empty() ? std::string("the empty prompt") : fmt::format("“{}”", prompt);
  };
  const std::string &to = first.sign > 0 ? first.positive : first.negative,
                    &from = first.sign > 0 ? first.negative : first.positive;
  return fmt::format("Positive scales are meant to move {} from {} to {}{}.", where, name(from), name(to),
                     more ? fmt::format(", and {} more direction{}", report.directions.size() - 1,
                                        report.directions.size() > 2 ? "s" : "")
                          : "");
}

std::string in_words(const EvaluationReport& report) {
  const double slope = report.curve.slope.value_or(0);
  if (std::abs(slope) < kHardlyAnything)
    return "The LoRA hardly moves the model along this direction: train longer or with a higher learning "
           "rate, "
           "and look whether the base model knows the difference between the prompts.";
  if (slope < 0)
    return "The LoRA works the wrong way round: positive scales move away from where the direction points. "
           "Use "
           "negative scales, or swap the prompts and train again.";
  if (!report.curve.recommended_range ||
      report.curve.recommended_range->from == report.curve.recommended_range->to)
    return "They do, but at no listed scale is the effect both in proportion and harmless to the preserve "
           "prompts; "
           "try smaller scales.";
  return fmt::format("They do: at scale 1 by {} the prompts’ own difference. Use it at scales {}.",
                     times(slope), range_text(*report.curve.recommended_range));
}

std::string side_effects(const EvaluationReport& report) {
  const ScaleMeasures* worst = nullptr;
  for (const ScaleMeasures& measures : report.scales)
    if (std::abs(measures.scale) <= 1 && (!worst || measures.greatest_drift() > worst->greatest_drift()))
      worst = &measures;
  if (!worst || worst->drift.empty())
    return "No preserve prompts were given, so nothing is known of side effects (--preserve).";
  const auto& [prompt, value] =
      *std::ranges::max_element(worst->drift, {}, [](const auto& drift) { return drift.second; });
  return fmt::format("Up to scale ±1 the preserve prompts move by at most {} (“{}”).",
                     fmt::format("{:.1f}\u00a0%", 100 * value), prompt);
}

}  // namespace

std::string range_text(const ScaleRange& range) {
  return fmt::format("{} … {}", html_number(range.from), html_number(range.to));
}

Verdict judge(const EvaluationReport& report) {
  return {.sentences = {what_it_does(report) + " " + in_words(report), side_effects(report)},
          .findings = {strength(report), recommended(report), symmetry(report), precision(report)}};
}

}  // namespace leco
