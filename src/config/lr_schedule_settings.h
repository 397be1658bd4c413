// How the learning rate changes over the steps. Names, arguments and defaults are sd-scripts'.
#pragma once

#include <span>

#include "config/named_argument.h"

namespace leco {

enum class LrSchedule {
  kConstant,
  kConstantWithWarmup,
  kLinear,
  kCosine,
  kCosineWithRestarts,
  kPolynomial,
  kInverseSqrt,
  kCosineWithMinLr,
  kWarmupStableDecay,
  kPiecewiseConstant,
  kAdafactor,  // what Adafactor finds by itself
};

// A piece of piecewise_constant: the factor of the rate in all steps before `end`.
struct RatePiece {
  int64_t end = 0;
  double factor = 1;
};

struct LrScheduleSettings {
  LrSchedule kind = LrSchedule::kConstant;
  double warmup = 0;  // steps; below 1: a share of max_train_steps
  double decay = 0;   // the same
  int64_t num_cycles = 1;
  double power = 1;
  std::optional<int64_t> timescale = {};    // inverse_sqrt; none: the warm-up's steps, or 10 000 without one
  std::optional<double> min_lr_ratio = {};  // share of the rate at the end

  // --lr_scheduler_args
  double cosine_cycles = 0.5;                                 // cosine's num_cycles: waves over the run
  double lr_end = 1e-7;                                       // polynomial
  std::optional<double> min_lr = {};                          // cosine_with_min_lr: instead of min_lr_ratio
  std::string warmup_type = "linear", decay_type = "cosine";  // warmup_stable_decay
  std::string step_rules;                                     // piecewise_constant: "1:10,0.1:20,0.01"
};

// What a schedule reads; the rest has no effect with it.
struct LrScheduleName {
  std::string name;
  LrSchedule kind;
  bool warmup = false, decay = false, num_cycles = false, power = false, timescale = false,
       min_lr_ratio = false;
  bool depends_on_length = false;  // of max_train_steps
};
std::span<const LrScheduleName> lr_schedule_names();  // in the order of the documentation
const LrScheduleName& lr_schedule_name(LrSchedule kind);

// The --lr_scheduler_args of `settings.kind`, bound to `settings`, which must outlive them.
ArgumentList lr_schedule_arguments(LrScheduleSettings& settings);

// The pieces in order of their ends, then the last factor with end 0. None where the text is no such list.
std::optional<std::vector<RatePiece>> rate_pieces(const std::string& step_rules);

}  // namespace leco
