#include "optim/make_optimizer.h"

#include <fmt/format.h>

#include "core/error.h"

namespace leco {
namespace {

using Kind = OptimizerKind;

void check_rates(Kind kind, const std::vector<WeightSegment>& segments) {
  const std::vector<Run> runs = runs_of(segments);
  for (const Run& run : runs)
    if (run.rate_factor != runs.front().rate_factor)
      throw_usage(fmt::format(
          "--optimizer_type={} estimates one step size for all weights, so parts of the LoRA cannot "
          "have rates of their own ({} and {} times the rate); leave the rate arguments of "
          "--network_args out, or take another optimizer",
          optimizer_name(kind), runs.front().rate_factor, run.rate_factor));
}

}  // namespace

std::unique_ptr<Optimizer> make_optimizer(const OptimizerSettings& settings, const OptimizerTarget& target) {
  if (needs_one_rate(settings.kind)) check_rates(settings.kind, target.segments);
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
