// Which optimizer trains the LoRA, with its arguments. Each has the names, ranges and defaults of the Python
// class that sd-scripts starts for it.
#pragma once

#include <span>

#include "config/named_argument.h"
#include "config/weight_segment.h"

namespace leco {

enum class OptimizerKind {
  kAdamW,
  kAdamW8bit,
  kAdam,
  kSgd,
  kSgdNesterov,
  kSgdNesterov8bit,
  kLion,
  kLion8bit,
  kAdafactor,
  kProdigy,
  kDAdaptAdam,
  kDAdaptLion,
  kAdamWScheduleFree,
  kRmsprop,
  kAdagrad,
  kNAdam,
  kRAdam,
};

// The arguments of all of them; optimizer_arguments() says which count for a kind. The defaults are AdamW's.
struct OptimizerSettings {
  OptimizerKind kind = OptimizerKind::kAdamW;

  NumberPair betas = {0.9, 0.999};
  double eps = 1e-8;
  double weight_decay = 0.01;
  bool amsgrad = false;
  bool decoupled_weight_decay = false;  // Adam, NAdam, RAdam, Lion
  bool maximize = false;                // climb instead of descend

  double momentum = 0;  // SGD, RMSprop
  double dampening = 0;
  bool nesterov = false;
  double alpha = 0.99;  // RMSprop: of the mean of squares
  bool centered = false;
  double lr_decay = 0;  // Adagrad
  double initial_accumulator_value = 0;
  double momentum_decay = 4e-3;  // NAdam

  int64_t min_8bit_size = 4096;  // smaller tensors keep fp32 state

  NumberPair factor_eps = {1e-30, 1e-3};  // Adafactor's eps: of squared gradients, of the weights' scale
  double clip_threshold = 1.0;
  double decay_rate = -0.8;
  std::optional<double> beta1 = {};  // Adafactor's mean of updates; none: no such state
  bool scale_parameter = true;
  bool relative_step = true;
  bool warmup_init = false;

  std::optional<double> beta3 = {};  // Prodigy; none: sqrt(beta2)
  bool decouple = true;              // Prodigy, DAdaptAdam: weight decay as AdamW
  bool use_bias_correction = false;
  bool safeguard_warmup = false;
  double d0 = 1e-6;
  double d_coef = 1.0;
  double growth_rate = std::numeric_limits<double>::infinity();
  int64_t slice_p = 1;

  int64_t warmup_steps = 0;  // AdamWScheduleFree
  double average_power = 0;  // its `r`
  double weight_lr_power = 2;
};

struct OptimizerName {
  std::string name;
  OptimizerKind kind;
  std::string original;   // the Python class that it computes as
  std::string note = "";  // what a user should know, a line when it is chosen
};
// Every name of --optimizer_type, in the order of the documentation.
std::span<const OptimizerName> optimizer_names();
const std::string& optimizer_name(OptimizerKind kind);

OptimizerSettings default_optimizer(OptimizerKind kind);
// The arguments of `settings.kind`, bound to `settings`, which must outlive them.
ArgumentList optimizer_arguments(OptimizerSettings& settings);
// "AdamW(betas=0.9,0.999, eps=1e-08, …)"
std::string optimizer_text(OptimizerSettings settings);

// It takes the same rate in every step: --lr_scheduler and its companions have no effect.
bool ignores_lr_schedule(const OptimizerSettings& settings);
// It finds its own rate: --learning_rate has no effect either.
bool ignores_learning_rate(const OptimizerSettings& settings);
// It estimates one step size for all weights: segments whose rate factors differ are refused.
bool needs_one_rate(OptimizerKind kind);

// What its state takes in memory, beside the weights and their gradient.
int64_t optimizer_state_bytes(const OptimizerSettings& settings, std::span<const WeightSegment> segments);

}  // namespace leco
