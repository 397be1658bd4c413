#include "optim/lr_schedule.h"

#include <cmath>
#include <numbers>

#include "core/error.h"

namespace leco {
namespace {

// Steps as doubles: every formula divides them.
struct Course {
  double step = 0;
  double steps = 0;  // of the whole run
  double warmup = 0;

  // How much of what follows the warm-up is over.
  double progress() const { return (step - warmup) / std::max(1.0, steps - warmup); }
};

double cosine(double waves) {
  return 0.5 * (1 + std::cos(std::numbers::pi * 2 * waves));
}

double above(double floor, double factor) {
  return std::max(0.0, factor * (1 - floor) + floor);
}

double with_restarts(const Course& course, double cycles) {
  const double progress = course.progress();
  if (progress >= 1) return 0;
  return std::max(0.0, 0.5 * (1 + std::cos(std::numbers::pi * std::fmod(cycles * progress, 1.0))));
}

double polynomial(const Course& course, const LrScheduleSettings& schedule, double base) {
  const double left = 1 - (course.step - course.warmup) / (course.steps - course.warmup);
  return ((base - schedule.lr_end) * std::pow(left, schedule.power) + schedule.lr_end) / base;
}

double inverse_sqrt(const Course& course, const LrScheduleSettings& schedule) {
  const double otherwise = course.warmup > 0 ? course.warmup : 10'000;
  const double timescale = schedule.timescale ? static_cast<double>(*schedule.timescale) : otherwise;
  return 1 / std::sqrt((course.step + timescale - course.warmup) / timescale);
}

// From 0 to 1 while `progress` does, in one of the forms of warmup_stable_decay.
double risen(const std::string& form, double progress) {
  if (form == "linear") return progress;
  if (form == "cosine") return 0.5 * (1 - std::cos(std::numbers::pi * progress));
  return 1 - std::sqrt(1 - progress);
}

double fallen(const std::string& form, double progress, double cycles) {
  if (form == "linear") return 1 - progress;
  if (form == "cosine") return cosine(cycles * progress);
  return 1 - std::sqrt(progress);
}

double warmup_stable_decay(const Course& course, const LrScheduleSettings& schedule, double decay) {
  const double floor = schedule.min_lr_ratio.value_or(0);
  if (course.step < course.warmup)
    return above(floor, risen(schedule.warmup_type, course.step / course.warmup));
  const double falls_from = course.steps - decay;
  if (course.step < falls_from) return 1;
  if (course.step >= course.steps) return floor;
  const double half_cycles = static_cast<double>(schedule.num_cycles) / 2;
  return above(floor,
               fallen(schedule.decay_type, (course.step - falls_from) / std::max(1.0, decay), half_cycles));
}

double piecewise_constant(const std::string& step_rules, int64_t step) {
  const auto pieces = rate_pieces(step_rules);
  LECO_ASSERT(pieces.has_value());
  for (const RatePiece& piece : *pieces)
    if (step < piece.end) return piece.factor;
  return pieces->back().factor;
}

double factor_of(const TrainSettings& settings, int64_t step) {
  const LrScheduleSettings& schedule = settings.lr_schedule;
  const Course course{
      static_cast<double>(step), static_cast<double>(settings.max_train_steps),
      lr_schedule_name(schedule.kind).warmup ? static_cast<double>(settings.warmup_steps()) : 0};
  if (schedule.kind == LrSchedule::kWarmupStableDecay)
    return warmup_stable_decay(course, schedule, static_cast<double>(settings.decay_steps()));
  if (course.step < course.warmup) return course.step / course.warmup;
  const auto cycles = static_cast<double>(schedule.num_cycles);
  switch (schedule.kind) {
    case LrSchedule::kLinear:
      return std::max(0.0, (course.steps - course.step) / std::max(1.0, course.steps - course.warmup));
    case LrSchedule::kCosine:
      return std::max(0.0, cosine(schedule.cosine_cycles * course.progress()));
    case LrSchedule::kCosineWithRestarts:
      return with_restarts(course, cycles);
    case LrSchedule::kPolynomial:
      return polynomial(course, schedule, settings.base_lr());
    case LrSchedule::kInverseSqrt:
      return inverse_sqrt(course, schedule);
    case LrSchedule::kCosineWithMinLr: {
      const double floor =
          schedule.min_lr ? *schedule.min_lr / settings.base_lr() : schedule.min_lr_ratio.value_or(0);
      return above(floor, cosine(cycles / 2 * course.progress()));
    }
    case LrSchedule::kPiecewiseConstant:
      return piecewise_constant(schedule.step_rules, step);
    default:
      return 1;
  }
}

}  // namespace

double learning_rate(const TrainSettings& settings, int64_t step) {
  const double base = settings.base_lr();
  return ignores_lr_schedule(settings.optimizer) ? base : base * factor_of(settings, step);
}

}  // namespace leco
