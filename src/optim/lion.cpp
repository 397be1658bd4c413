// Chen et al., "Symbolic Discovery of Optimization Algorithms", 2023, as lion-pytorch computes it.
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class Lion final : public Optimizer {
 public:
  Lion(const OptimizerSettings& settings, const OptimizerTarget& target)
      : settings_(settings),
        runs_(runs_of(target.segments)),
        mean_(at::zeros({target.count()}, target.options)) {
    // "Decoupled" there: from the rate that the run starts from, so that a schedule still scales the decay.
    if (settings.decoupled_weight_decay && target.base_rate > 0) settings_.weight_decay /= target.base_rate;
    keep("exp_avg", mean_);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), m = run.of(mean_);
      const Tensor g = run.of(gradient);
      const double run_rate = rate * run.rate_factor;
      w.mul_(1 - run_rate * settings_.weight_decay);
      w.add_(m.mul(settings_.betas[0]).add_(g, 1 - settings_.betas[0]).sign_(), -run_rate);
      m.mul_(settings_.betas[1]).add_(g, 1 - settings_.betas[1]);
    }
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor mean_;  // (n)
};

}  // namespace

std::unique_ptr<Optimizer> make_lion(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Lion>(settings, target);
}

}  // namespace leco
