// Defazio et al., "The Road Less Scheduled", 2024, as schedulefree.AdamWScheduleFree computes it. Trained on
// is y; the steps themselves move z; what is kept is x, a running average of z, and y = x + (1 − beta1)(z −
// x).
#include <cmath>

#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class ScheduleFree final : public Optimizer {
 public:
  ScheduleFree(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings),
        runs_(runs_of(target.segments)),
        z_(at::zeros({target.count()}, target.options)),
        variance_(at::zeros({target.count()}, target.options)) {
    keep("z", z_);
    keep("exp_avg_sq", variance_);
    keep("step", steps_);
    keep("weight_sum", weight_sum_);
    keep("lr_max", greatest_rate_);
  }

  double rate_of_step(double) const override { return rate_; }

  Tensor weights_to_keep(const Tensor& weights) const override {
    if (steps_ == 0) return weights;
    return weights.lerp(z_, 1 - 1 / settings_.betas[0]);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    if (steps_ == 0) z_.copy_(weights);
    const auto [beta1, beta2] = settings_.betas;
    const auto warmup = static_cast<double>(settings_.warmup_steps);
    rate_ = steps_ < warmup ? rate * (steps_ + 1) / warmup : rate;
    ++steps_;
    greatest_rate_ = std::max(greatest_rate_, rate_);
    const double weight =
        std::pow(steps_, settings_.average_power) * std::pow(greatest_rate_, settings_.weight_lr_power);
    weight_sum_ += weight;
    const double share = weight_sum_ == 0 ? 0 : weight / weight_sum_;  // of the new z in the average
    const double correction = 1 - std::pow(beta2, steps_);
    for (const Run& run : runs_) {
      Tensor y = run.of(weights), g = run.of(gradient), z = run.of(z_), v = run.of(variance_);
      const double run_rate = rate_ * run.rate_factor;
      v.mul_(beta2).addcmul_(g, g, 1 - beta2);
      g.div_(v.div(correction).sqrt_().add_(settings_.eps));
      if (settings_.weight_decay != 0) g.add_(y, settings_.weight_decay);
      y.lerp_(z, share).add_(g, run_rate * (beta1 * (1 - share) - 1));
      z.sub_(g, run_rate);
    }
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor z_, variance_;  // (n)
  double steps_ = 0;
  double weight_sum_ = 0;
  double greatest_rate_ = -1;
  double rate_ = 0;  // of the last step
};

}  // namespace

std::unique_ptr<Optimizer> make_schedule_free(const OptimizerSettings& settings,
                                              const OptimizerTarget& target) {
  return std::make_unique<ScheduleFree>(settings, target);
}

}  // namespace leco
