// Liu et al., "On the Variance of the Adaptive Learning Rate and Beyond", 2020, as torch.optim.RAdam computes
// it.
#include <cmath>

#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class RAdam final : public Optimizer {
 public:
  RAdam(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize),
        settings_(settings),
        runs_(runs_of(target.segments)),
        mean_(at::zeros({target.count()}, target.options)),
        variance_(at::zeros({target.count()}, target.options)) {
    keep("exp_avg", mean_);
    keep("exp_avg_sq", variance_);
    keep("step", steps_);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    ++steps_;
    const auto [beta1, beta2] = settings_.betas;
    const double correction1 = 1 - std::pow(beta1, steps_), correction2 = 1 - std::pow(beta2, steps_);
    // How many numbers the average of squares stands for: at the limit, and now.
    const double limit = 2 / (1 - beta2) - 1;
    const double length = limit - 2 * steps_ * std::pow(beta2, steps_) / correction2;
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient), m = run.of(mean_), v = run.of(variance_);
      const double run_rate = rate * run.rate_factor;
      if (settings_.decoupled_weight_decay)
        w.mul_(1 - run_rate * settings_.weight_decay);
      else if (settings_.weight_decay != 0)
        g.add_(w, settings_.weight_decay);
      m.lerp_(g, 1 - beta1);
      v.mul_(beta2).addcmul_(g, g, 1 - beta2);
      if (length <= 5) {  // too few to divide by their deviation
        w.add_(m, -run_rate / correction1);
        continue;
      }
      const double rectified =
          std::sqrt((length - 4) * (length - 2) * limit / ((limit - 4) * (limit - 2) * length));
      w.addcdiv_(m, v.sqrt().add_(settings_.eps),
                 -run_rate * rectified * std::sqrt(correction2) / correction1);
    }
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor mean_, variance_;  // (n)
  double steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_radam(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<RAdam>(settings, target);
}

}  // namespace leco
