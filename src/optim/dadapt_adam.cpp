// Defazio & Mishchenko, "Learning-Rate-Free Learning by D-Adaptation", 2023, as dadaptation.DAdaptAdam
// computes it.
#include <cmath>

#include "optim/make_optimizer.h"
#include "optim/step_estimate.h"

namespace leco {
namespace {

using torch::Tensor;

class DAdaptAdam final : public Optimizer {
 public:
  DAdaptAdam(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings), runs_(runs_of(target.segments)), d_(settings.d0) {
    for (const auto& [name, tensor] : {std::pair{"s", &s_}, {"exp_avg", &mean_}, {"exp_avg_sq", &variance_}})
      keep(name, *tensor = at::zeros({target.count()}, target.options));
    keep("d", d_);
    keep("numerator_weighted", numerator_);
    keep("k", steps_);
  }

  double rate_of_step(double) const override { return step_; }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    if (settings_.weight_decay != 0 && !settings_.decouple)
      for (const Run& run : runs_) run.of(gradient).add_(run.of(weights), settings_.weight_decay);
    step_ = d_ * rate * (runs_.empty() ? 0 : runs_.front().rate_factor) * bias_correction(settings_, steps_);
    if (step_ == 0 || !accumulate(gradient)) return;
    for (const Run& run : runs_) {
      Tensor w = run.of(weights);
      if (settings_.weight_decay != 0 && settings_.decouple) w.add_(w, -settings_.weight_decay * step_);
      w.addcdiv_(run.of(mean_), run.of(variance_).sqrt().add_(settings_.eps), -1);
    }
    ++steps_;
  }

  // Averages, and the estimate of d. False where there is no gradient at all.
  bool accumulate(const Tensor& gradient) {
    const auto [beta1, beta2] = settings_.betas;
    const double root = std::sqrt(beta2);
    double gained = 0, size = 0;
    for (const Run& run : runs_) {
      const Tensor g = run.of(gradient);
      Tensor s = run.of(s_), m = run.of(mean_), v = run.of(variance_);
      gained += step_ * inner_product(g, s.div(v.sqrt().add_(settings_.eps)));
      m.mul_(beta1).add_(g, step_ * (1 - beta1));
      v.mul_(beta2).addcmul_(g, g, 1 - beta2);
      s.mul_(root).add_(g, step_ * (1 - root));
      size += absolute_sum(s);
    }
    if (size == 0) return false;
    numerator_ = root * numerator_ + (1 - root) * gained;
    const double estimate = numerator_ / ((1 - root) * size);
    d_ = std::max(d_, std::min(estimate, d_ * settings_.growth_rate));
    return true;
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor s_, mean_, variance_;  // (n)
  double d_, numerator_ = 0;
  double step_ = 0;  // d times the rate, as the last update used it
  double steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_dadapt_adam(const OptimizerSettings& settings,
                                            const OptimizerTarget& target) {
  return std::make_unique<DAdaptAdam>(settings, target);
}

}  // namespace leco
