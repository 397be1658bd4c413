#include "config/lr_schedule_settings.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <string_view>

namespace leco {
namespace {

const std::vector<LrScheduleName> kNames = {
    {.name = "constant", .kind = LrSchedule::kConstant},
    {.name = "constant_with_warmup", .kind = LrSchedule::kConstantWithWarmup, .warmup = true},
    {.name = "linear", .kind = LrSchedule::kLinear, .warmup = true, .depends_on_length = true},
    {.name = "cosine", .kind = LrSchedule::kCosine, .warmup = true, .depends_on_length = true},
    {.name = "cosine_with_restarts",
     .kind = LrSchedule::kCosineWithRestarts,
     .warmup = true,
     .num_cycles = true,
     .depends_on_length = true},
    {.name = "polynomial",
     .kind = LrSchedule::kPolynomial,
     .warmup = true,
     .power = true,
     .depends_on_length = true},
    {.name = "inverse_sqrt", .kind = LrSchedule::kInverseSqrt, .warmup = true, .timescale = true},
    {.name = "cosine_with_min_lr",
     .kind = LrSchedule::kCosineWithMinLr,
     .warmup = true,
     .num_cycles = true,
     .min_lr_ratio = true,
     .depends_on_length = true},
    {.name = "warmup_stable_decay",
     .kind = LrSchedule::kWarmupStableDecay,
     .warmup = true,
     .decay = true,
     .num_cycles = true,
     .min_lr_ratio = true,
     .depends_on_length = true},
    {.name = "piecewise_constant", .kind = LrSchedule::kPiecewiseConstant},
    {.name = "adafactor", .kind = LrSchedule::kAdafactor},
};

template <typename Number>
bool read(std::string_view text, Number& value) {
  while (text.starts_with(' ')) text.remove_prefix(1);
  while (text.ends_with(' ')) text.remove_suffix(1);
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), value);
  return failure == std::errc() && end == text.data() + text.size();
}

bool read_factor(std::string_view text, double& factor) {
  return read(text, factor) && std::isfinite(factor) && factor >= 0;
}

}  // namespace

std::span<const LrScheduleName> lr_schedule_names() {
  return kNames;
}

const LrScheduleName& lr_schedule_name(LrSchedule kind) {
  return *std::ranges::find(kNames, kind, &LrScheduleName::kind);
}

ArgumentList lr_schedule_arguments(LrScheduleSettings& s) {
  const std::string owner = "the schedule " + lr_schedule_name(s.kind).name;
  const std::vector<std::string> shapes = {"linear", "cosine", "1-sqrt"};
  switch (s.kind) {
    case LrSchedule::kCosine:
      return {owner, {{"num_cycles", &s.cosine_cycles, {.lowest = 0}}}};
    case LrSchedule::kPolynomial:
      return {owner, {{"lr_end", &s.lr_end, {.lowest = 0}}}};
    case LrSchedule::kCosineWithMinLr:
      return {owner, {{"min_lr", &s.min_lr, {.lowest = 0}}}};
    case LrSchedule::kWarmupStableDecay:
      return {owner,
              {{"warmup_type", &s.warmup_type, {}, shapes}, {"decay_type", &s.decay_type, {}, shapes}}};
    case LrSchedule::kPiecewiseConstant:
      return {owner, {{"step_rules", &s.step_rules}}};
    default:
      return {owner, {}};
  }
}

std::optional<std::vector<RatePiece>> rate_pieces(const std::string& step_rules) {
  std::vector<RatePiece> pieces;
  std::string_view rest = step_rules;
  for (size_t comma = rest.find(','); comma != std::string_view::npos; comma = rest.find(',')) {
    const std::string_view rule = rest.substr(0, comma);
    const size_t colon = rule.find(':');
    RatePiece piece;
    if (colon == std::string_view::npos || !read_factor(rule.substr(0, colon), piece.factor) ||
        !read(rule.substr(colon + 1), piece.end) || piece.end < 1)
      return std::nullopt;
    pieces.push_back(piece);
    rest.remove_prefix(comma + 1);
  }
  std::ranges::stable_sort(pieces, {}, &RatePiece::end);
  RatePiece last;
  if (!read_factor(rest, last.factor)) return std::nullopt;
  pieces.push_back(last);
  return pieces;
}

}  // namespace leco
