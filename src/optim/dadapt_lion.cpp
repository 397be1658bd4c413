// Lion with D-Adaptation, as dadaptation.DAdaptLion computes it.
#include <cmath>

#include "optim/make_optimizer.h"
#include "optim/step_estimate.h"

namespace leco {
namespace {

using torch::Tensor;

class DAdaptLion final : public Optimizer {
 public:
  DAdaptLion(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings), runs_(runs_of(target.segments)), d_(settings.d0) {
    keep("exp_avg", mean_ = at::zeros({target.count()}, target.options));
    keep("s", s_ = at::zeros({target.count()}, target.options));
    keep("d", d_);
    keep("numerator_weighted", numerator_);
  }

  double rate_of_step(double) const override { return step_; }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    const auto [beta1, beta2] = settings_.betas;
    const double root = std::sqrt(beta2);
    step_ = d_ * rate * (runs_.empty() ? 0 : runs_.front().rate_factor);
    double gained = 0, size = 0;
    for (const Run& run : runs_) {
      const Tensor g = run.of(gradient);
      Tensor w = run.of(weights), m = run.of(mean_), s = run.of(s_);
      w.mul_(1 - step_ * settings_.weight_decay);
      const Tensor direction = m.mul(beta1).add_(g, 1 - beta1).sign_();
      w.add_(direction, -step_);
      m.mul_(beta2).add_(g, (1 - beta2) * step_);
      gained += step_ * inner_product(direction, s);
      s.mul_(root).add_(direction, (1 - root) * step_);
      size += absolute_sum(s);
    }
    if (size == 0) return;
    numerator_ = root * numerator_ + (1 - root) * gained;
    if (rate > 0) d_ = std::max(d_, numerator_ / ((1 - root) * size));
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor mean_, s_;  // (n)
  double d_, numerator_ = 0;
  double step_ = 0;  // d times the rate, as the last update used it
};

}  // namespace

std::unique_ptr<Optimizer> make_dadapt_lion(const OptimizerSettings& settings,
                                            const OptimizerTarget& target) {
  return std::make_unique<DAdaptLion>(settings, target);
}

}  // namespace leco
