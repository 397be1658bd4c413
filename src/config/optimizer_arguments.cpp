// The arguments that each optimizer takes, as its Python original does.
#include "config/optimizer_settings.h"
#include "core/error.h"

namespace leco {
namespace {

using Kind = OptimizerKind;

constexpr NumberLimits kShare = {.lowest = 0, .below = 1};
constexpr NumberLimits kAtLeast0 = {.lowest = 0};
constexpr NumberLimits kAbove0 = {.lowest = 0, .above_lowest = true};

std::vector<InertArgument> torch_inert(std::vector<std::string> more = {}) {
  std::vector<InertArgument> inert;
  more.insert(more.end(), {"foreach", "capturable", "differentiable"});
  for (const std::string& name : more)
    inert.push_back({name, "it chooses how PyTorch carries the same update out"});
  return inert;
}

std::vector<InertArgument> bitsandbytes_inert() {
  return {{"percentile_clipping", "--max_grad_norm clips gradients here", "100"},
          {"block_wise", "states are always scaled by blocks of 256", "True"},
          {"is_paged", "nothing is paged here"}};
}

const InertArgument kLogging = {"log_every", "the metrics file holds each step's rate"};
const InertArgument kSharding = {"fsdp_in_use", "weights are not sharded here"};

struct Bound {
  OptimizerSettings& s;

  NamedArgument betas() const { return {"betas", &s.betas, kShare}; }
  NamedArgument eps() const { return {"eps", &s.eps, kAtLeast0}; }
  NamedArgument eps_above_0() const { return {"eps", &s.eps, kAbove0}; }
  NamedArgument weight_decay() const { return {"weight_decay", &s.weight_decay, kAtLeast0}; }
  NamedArgument decoupled() const { return {"decoupled_weight_decay", &s.decoupled_weight_decay}; }
  NamedArgument maximize() const { return {"maximize", &s.maximize}; }
  NamedArgument amsgrad() const { return {"amsgrad", &s.amsgrad}; }
  NamedArgument momentum() const { return {"momentum", &s.momentum, kAtLeast0}; }
  NamedArgument min_8bit_size() const { return {"min_8bit_size", &s.min_8bit_size, kAtLeast0}; }
  NamedArgument decouple() const { return {"decouple", &s.decouple}; }
  NamedArgument bias_correction() const { return {"use_bias_correction", &s.use_bias_correction}; }
  NamedArgument d0() const { return {"d0", &s.d0, kAbove0}; }
  NamedArgument growth_rate() const {
    return {"growth_rate", &s.growth_rate, {.lowest = 1, .may_be_infinite = true}};
  }
};

ArgumentList adafactor_arguments(OptimizerSettings& s) {
  return {"Adafactor",
          {{"eps", &s.factor_eps, kAtLeast0},
           {"clip_threshold", &s.clip_threshold, kAbove0},
           {"decay_rate", &s.decay_rate, {.below = 0}},
           {"beta1", &s.beta1, kShare},
           Bound{s}.weight_decay(),
           {"scale_parameter", &s.scale_parameter},
           {"relative_step", &s.relative_step},
           {"warmup_init", &s.warmup_init}}};
}

ArgumentList schedule_free_arguments(OptimizerSettings& s) {
  const Bound b{s};
  return {"AdamWScheduleFree",
          {{"betas", &s.betas, {.lowest = 0, .below = 1, .above_lowest = true}},
           b.eps(),
           b.weight_decay(),
           {"warmup_steps", &s.warmup_steps, kAtLeast0},
           {"r", &s.average_power, kAtLeast0},
           {"weight_lr_power", &s.weight_lr_power, kAtLeast0}},
          {{"foreach", "it chooses how PyTorch carries the same update out"}}};
}

ArgumentList prodigy_arguments(OptimizerSettings& s) {
  const Bound b{s};
  return {"Prodigy",
          {b.betas(),
           {"beta3", &s.beta3, kShare},
           b.eps_above_0(),
           b.weight_decay(),
           b.decouple(),
           b.bias_correction(),
           {"safeguard_warmup", &s.safeguard_warmup},
           b.d0(),
           {"d_coef", &s.d_coef, kAbove0},
           b.growth_rate(),
           {"slice_p", &s.slice_p, {.lowest = 1}}},
          {kSharding}};
}

ArgumentList torch_arguments(OptimizerSettings& s) {
  const Bound b{s};
  const std::string& owner = optimizer_name(s.kind);
  switch (s.kind) {
    case Kind::kSgd:
      return {owner,
              {b.momentum(),
               {"dampening", &s.dampening},
               b.weight_decay(),
               {"nesterov", &s.nesterov},
               b.maximize()},
              torch_inert({"fused"})};
    case Kind::kSgdNesterov:
      return {owner,
              {{"momentum", &s.momentum, kAbove0}, b.weight_decay(), b.maximize()},
              torch_inert({"fused"})};
    case Kind::kRmsprop:
      return {owner,
              {{"alpha", &s.alpha, kShare},
               b.eps(),
               b.weight_decay(),
               b.momentum(),
               {"centered", &s.centered},
               b.maximize()},
              torch_inert()};
    case Kind::kAdagrad:
      return {owner,
              {{"lr_decay", &s.lr_decay, kAtLeast0},
               b.weight_decay(),
               {"initial_accumulator_value", &s.initial_accumulator_value, kAtLeast0},
               b.eps(),
               b.maximize()},
              torch_inert({"fused"})};
    case Kind::kNAdam:
      return {owner,
              {b.betas(),
               b.eps(),
               b.weight_decay(),
               {"momentum_decay", &s.momentum_decay, kAtLeast0},
               b.decoupled(),
               b.maximize()},
              torch_inert()};
    case Kind::kRAdam:
      return {owner, {b.betas(), b.eps(), b.weight_decay(), b.decoupled(), b.maximize()}, torch_inert()};
    default: {  // AdamW, Adam
      ArgumentList list{
          owner, {b.betas(), b.eps(), b.weight_decay(), b.amsgrad(), b.maximize()}, torch_inert({"fused"})};
      if (s.kind == Kind::kAdam) list.arguments.push_back(b.decoupled());
      return list;
    }
  }
}

ArgumentList bitsandbytes_arguments(OptimizerSettings& s) {
  const Bound b{s};
  ArgumentList list{optimizer_name(s.kind), {}, bitsandbytes_inert()};
  if (s.kind == Kind::kAdamW8bit) {
    list.arguments = {b.betas(), b.eps(), b.weight_decay(), b.min_8bit_size()};
    list.inert.push_back({"amsgrad", "bitsandbytes does not have it either", "False"});
    list.inert.push_back({"optim_bits", "the 8 bits are in the name", "32"});
  } else if (s.kind == Kind::kLion8bit) {
    list.arguments = {b.betas(), b.weight_decay(), b.min_8bit_size()};
  } else {
    list.arguments = {{"momentum", &s.momentum, kAbove0}, b.weight_decay(), b.min_8bit_size()};
    list.inert.push_back({"dampening", "bitsandbytes does not use it"});
  }
  return list;
}

}  // namespace

ArgumentList optimizer_arguments(OptimizerSettings& s) {
  const Bound b{s};
  switch (s.kind) {
    case Kind::kAdamW:
    case Kind::kAdam:
    case Kind::kSgd:
    case Kind::kSgdNesterov:
    case Kind::kRmsprop:
    case Kind::kAdagrad:
    case Kind::kNAdam:
    case Kind::kRAdam:
      return torch_arguments(s);
    case Kind::kAdamW8bit:
    case Kind::kLion8bit:
    case Kind::kSgdNesterov8bit:
      return bitsandbytes_arguments(s);
    case Kind::kLion:
      return {"Lion", {b.betas(), b.weight_decay(), b.decoupled()}, {{"use_triton", "no Triton runs here"}}};
    case Kind::kAdafactor:
      return adafactor_arguments(s);
    case Kind::kProdigy:
      return prodigy_arguments(s);
    case Kind::kDAdaptAdam:
      return {"DAdaptAdam",
              {b.betas(), b.eps_above_0(), b.weight_decay(), b.decouple(), b.bias_correction(), b.d0(),
               b.growth_rate()},
              {kLogging, kSharding}};
    case Kind::kDAdaptLion:
      return {"DAdaptLion", {b.betas(), b.weight_decay(), b.d0()}, {kLogging, kSharding}};
    case Kind::kAdamWScheduleFree:
      return schedule_free_arguments(s);
  }
  throw Error("internal: an optimizer without a list of arguments");
}

}  // namespace leco
