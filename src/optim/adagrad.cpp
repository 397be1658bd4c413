// Duchi, Hazan & Singer, "Adaptive Subgradient Methods", 2011, as torch.optim.Adagrad computes it.
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class Adagrad final : public Optimizer {
 public:
  Adagrad(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize),
        settings_(settings),
        runs_(runs_of(target.segments)),
        sum_(at::full({target.count()}, settings.initial_accumulator_value, target.options)) {
    keep("sum", sum_);
    keep("step", steps_);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    const double decayed = rate / (1 + steps_ * settings_.lr_decay);
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient), sum = run.of(sum_);
      if (settings_.weight_decay != 0) g.add_(w, settings_.weight_decay);
      sum.addcmul_(g, g);
      w.addcdiv_(g, sum.sqrt().add_(settings_.eps), -decayed * run.rate_factor);
    }
    ++steps_;
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor sum_;  // (n): of all squared gradients
  double steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_adagrad(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Adagrad>(settings, target);
}

}  // namespace leco
