// Dozat, "Incorporating Nesterov Momentum into Adam", 2016, as torch.optim.NAdam computes it.
#include <cmath>

#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class NAdam final : public Optimizer {
 public:
  NAdam(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize),
        settings_(settings),
        runs_(runs_of(target.segments)),
        mean_(at::zeros({target.count()}, target.options)),
        variance_(at::zeros({target.count()}, target.options)) {
    keep("exp_avg", mean_);
    keep("exp_avg_sq", variance_);
    keep("step", steps_);
    keep("mu_product", mu_product_);
  }

 private:
  // The momentum of a step: it grows towards beta1.
  double mu(double step) const {
    return settings_.betas[0] * (1 - 0.5 * std::pow(0.96, step * settings_.momentum_decay));
  }

  void update(Tensor& weights, Tensor& gradient, double rate) override {
    ++steps_;
    const double present = mu(steps_), next = mu(steps_ + 1);
    mu_product_ *= present;
    const double correction = 1 - std::pow(settings_.betas[1], steps_);
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient), m = run.of(mean_), v = run.of(variance_);
      const double run_rate = rate * run.rate_factor;
      if (settings_.decoupled_weight_decay)
        w.mul_(1 - run_rate * settings_.weight_decay);
      else if (settings_.weight_decay != 0)
        g.add_(w, settings_.weight_decay);
      m.lerp_(g, 1 - settings_.betas[0]);
      v.mul_(settings_.betas[1]).addcmul_(g, g, 1 - settings_.betas[1]);
      const Tensor deviation = v.div(correction).sqrt_().add_(settings_.eps);
      w.addcdiv_(g, deviation, -run_rate * (1 - present) / (1 - mu_product_));
      w.addcdiv_(m, deviation, -run_rate * next / (1 - mu_product_ * next));
    }
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor mean_, variance_;  // (n)
  double steps_ = 0;
  double mu_product_ = 1;  // of all steps' momenta so far
};

}  // namespace

std::unique_ptr<Optimizer> make_nadam(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<NAdam>(settings, target);
}

}  // namespace leco
