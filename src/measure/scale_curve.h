// What the measures at single scales say together: whether a LoRA follows its scale, and how far it may be
// turned up. Plain numbers; SPEC section 9.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace leco {

// How much more like the ends of the direction the pictures look than at scale 0: differences of
// 100·cosine(picture, prompt) in CLIP's space, means over pictures.
struct ClipShift {
  double positive = 0, negative = 0;
};

// At one scale s. With d the base model's difference along a direction and Δ what the LoRA adds to the
// prediction at the target; sums run over points and directions.
struct ScaleMeasures {
  double scale = 0;
  double response = 0;           // Σ⟨Δ,d⟩/Σ⟨d,d⟩
  std::optional<double> cosine;  // Σ⟨Δ,d⟩/√(ΣΔ²·Σd²); none where Δ = 0, as at scale 0
  std::optional<double> off_axis;  // √(Σ‖Δ⊥‖²/Σ‖Δ‖²), Δ⊥ the part of Δ across d; none where Δ = 0
  // √(Σ‖Δ‖²/Σ‖ε‖²) at each preserve prompt, by prompt, as given.
  std::vector<std::pair<std::string, double>> drift;
  double pixel_distance = 0;      // mean |difference| to the pictures at scale 0, values 0 … 255
  double ssim = 1;                // structural similarity to them
  std::optional<ClipShift> clip;  // with a CLIP model

  double greatest_drift() const;  // 0 without preserve prompts
};

struct ScaleRange {
  double from = 0, to = 0;
  bool operator==(const ScaleRange&) const = default;
};

struct CurveMeasures {
  // Rank correlation of scale and response; none where all responses are equal.
  std::optional<double> spearman;
  // min/max of |response| at the greatest scale that is listed with both signs; none without such a scale, or
  // where both responses are 0.
  std::optional<double> symmetry;
  // r of response ≈ r·s, by least squares on 0 < |s| ≤ 1; none without such a scale.
  std::optional<double> slope;
  // The longest run of listed scales holding 0 with |response − r·s| ≤ 0.2·|r·s|; none without r, or where r
  // is 0: a LoRA that does nothing has no range.
  std::optional<ScaleRange> linear_range;
  // Its part, holding 0, with every drift ≤ 0.1.
  std::optional<ScaleRange> recommended_range;
};

inline constexpr double kLinearTolerance = 0.2;
inline constexpr double kMostDrift = 0.1;

// `scales` ascending, distinct, holding 0, at least two.
CurveMeasures measure_curve(std::span<const ScaleMeasures> scales);

// Spearman's rank correlation, equal values sharing their mean rank. None where one side is constant.
std::optional<double> spearman(std::span<const double> x, std::span<const double> y);

}  // namespace leco
