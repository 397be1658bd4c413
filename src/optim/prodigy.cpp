// Mishchenko & Defazio, "Prodigy", 2023, as prodigyopt computes it: Adam whose step size d grows with the
// distance that the weights have gone along the gradients.
#include <cmath>

#include "optim/make_optimizer.h"
#include "optim/step_estimate.h"

namespace leco {
namespace {

using torch::Tensor;

class Prodigy final : public Optimizer {
 public:
  Prodigy(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings),
        runs_(runs_of(target.segments)),
        sample_(sampled_places(target, settings.slice_p)),
        beta3_(settings.beta3.value_or(std::sqrt(settings.betas[1]))),
        d_(settings.d0),
        greatest_d_(settings.d0) {
    const int64_t sampled = sample_.defined() ? sample_.numel() : target.count();
    keep("s", s_ = at::zeros({sampled}, target.options));
    keep("p0", start_ = at::zeros({sampled}, target.options));
    if (settings.betas[0] > 0) keep("exp_avg", mean_ = at::zeros({target.count()}, target.options));
    keep("exp_avg_sq", variance_ = at::zeros({target.count()}, target.options));
    keep("d", d_);
    keep("d_max", greatest_d_);
    keep("d_numerator", numerator_);
    keep("k", steps_);
    keep("has_started", has_started_);
  }

  double rate_of_step(double) const override { return step_; }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    if (has_started_ == 0) start_.copy_(sampled(weights));
    has_started_ = 1;
    if (settings_.weight_decay != 0 && !settings_.decouple)
      for (const Run& run : runs_) run.of(gradient).add_(run.of(weights), settings_.weight_decay);
    step_ = d_ * rate * (runs_.empty() ? 0 : runs_.front().rate_factor) * bias_correction(settings_, steps_);
    if (step_ == 0 || !accumulate(weights, gradient)) return;
    move(weights, gradient);
    ++steps_;
  }

  Tensor sampled(const Tensor& flat) const {
    return sample_.defined() ? flat.index_select(0, sample_) : flat;
  }

  // Averages, and the estimate of d. False where there is no gradient at all.
  bool accumulate(const Tensor& weights, const Tensor& gradient) {
    const auto [beta1, beta2] = settings_.betas;
    const Tensor g = sampled(gradient);
    const double scale = d_ / settings_.d0;
    const double gained = scale * step_ * inner_product(g, start_ - sampled(weights));
    for (const Run& run : runs_) {
      const Tensor part = run.of(gradient);
      if (beta1 > 0) run.of(mean_).mul_(beta1).add_(part, d_ * (1 - beta1));
      run.of(variance_).mul_(beta2).addcmul_(part, part, d_ * d_ * (1 - beta2));
    }
    s_.mul_(beta3_).add_(g, scale * (settings_.safeguard_warmup ? d_ : step_));
    const double denominator = absolute_sum(s_);
    if (denominator == 0) return false;
    numerator_ = beta3_ * numerator_ + gained;
    const double estimate = settings_.d_coef * numerator_ / denominator;
    if (d_ == settings_.d0) d_ = std::max(d_, estimate);
    greatest_d_ = std::max(greatest_d_, estimate);
    d_ = std::min(greatest_d_, d_ * settings_.growth_rate);
    return true;
  }

  // The step is still that of the d before.
  void move(Tensor& weights, const Tensor& gradient) const {
    for (const Run& run : runs_) {
      Tensor w = run.of(weights);
      const Tensor deviation = run.of(variance_).sqrt().add_(d_ * settings_.eps);
      if (settings_.weight_decay != 0 && settings_.decouple) w.add_(w, -settings_.weight_decay * step_);
      if (settings_.betas[0] > 0)
        w.addcdiv_(run.of(mean_), deviation, -step_);
      else
        w.addcdiv_(run.of(gradient), deviation, -step_ * d_);
    }
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor sample_;  // places of the weights that the estimate looks at; undefined: all
  double beta3_;
  Tensor s_, start_;        // (sampled): weighted sum of gradients; the weights before the first step
  Tensor mean_, variance_;  // (n)
  double d_, greatest_d_, numerator_ = 0;
  double step_ = 0;  // d times the rate, as the last update used it
  double steps_ = 0, has_started_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_prodigy(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Prodigy>(settings, target);
}

}  // namespace leco
