#include "optim/make_optimizer.h"

#include <fmt/format.h>

#include "core/error.h"

namespace leco {
namespace {

using Kind = OptimizerKind;

// A rate of a part's own would be ignored, or spoil the one step size that is estimated for all.
void check_rates(const OptimizerSettings& settings, const std::vector<WeightSegment>& segments) {
  const bool finds_rate = ignores_learning_rate(settings);
  if (!finds_rate && !needs_one_rate(settings.kind)) return;
  const std::vector<Run> runs = runs_of(segments);
  for (const Run& run : runs)
    if (run.rate_factor != (finds_rate ? 1 : runs.front().rate_factor))
      throw_usage(fmt::format(
          "--optimizer_type={}{} finds the step size itself, so parts of the LoRA cannot have rates of their "
          "own (one has {} times the rate); leave the rate arguments of --network_args out, or take another "
          "optimizer",
          optimizer_name(settings.kind), finds_rate ? " with relative_step=True" : "", run.rate_factor));
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, const OptimizerTarget& target) {
  check_rates(settings, target.segments);
  switch (settings.kind) {
    case Kind::kAdamW:
    case Kind::kAdam:
      return make_adam(settings, target);
    case Kind::kSgd:
    case Kind::kSgdNesterov:
      return make_sgd(settings, target);
    case Kind::kAdamW8bit:
    case Kind::kLion8bit:
    case Kind::kSgdNesterov8bit:
      return make_eight_bit(settings, target);
    case Kind::kLion:
      return make_lion(settings, target);
    case Kind::kAdafactor:
      return make_adafactor(settings, target);
    case Kind::kProdigy:
      return make_prodigy(settings, target);
    case Kind::kDAdaptAdam:
      return make_dadapt_adam(settings, target);
    case Kind::kDAdaptLion:
      return make_dadapt_lion(settings, target);
    case Kind::kAdamWScheduleFree:
      return make_schedule_free(settings, target);
    case Kind::kRmsprop:
      return make_rmsprop(settings, target);
    case Kind::kAdagrad:
      return make_adagrad(settings, target);
    case Kind::kNAdam:
      return make_nadam(settings, target);
    case Kind::kRAdam:
      return make_radam(settings, target);
  }
  throw Error("internal: an optimizer without a maker");
}

}  // namespace leco
