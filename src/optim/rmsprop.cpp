// Hinton's RMSprop (Coursera lecture 6e, 2012), as torch.optim.RMSprop computes it.
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class RmsProp final : public Optimizer {
 public:
  RmsProp(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize),
        settings_(settings),
        runs_(runs_of(target.segments)),
        squares_(at::zeros({target.count()}, target.options)) {
    keep("square_avg", squares_);
    if (settings.centered) keep("grad_avg", mean_ = at::zeros({target.count()}, target.options));
    if (settings.momentum > 0)
      keep("momentum_buffer", momentum_ = at::zeros({target.count()}, target.options));
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient), squares = run.of(squares_);
      if (settings_.weight_decay != 0) g.add_(w, settings_.weight_decay);
      squares.mul_(settings_.alpha).addcmul_(g, g, 1 - settings_.alpha);
      const Tensor deviation = spread(g, squares, run).sqrt_().add_(settings_.eps);
      if (settings_.momentum > 0) {
        Tensor buffer = run.of(momentum_);
        buffer.mul_(settings_.momentum).addcdiv_(g, deviation);
        w.add_(buffer, -rate * run.rate_factor);
      } else {
        w.addcdiv_(g, deviation, -rate * run.rate_factor);
      }
    }
  }

  // The mean of squares; centered, less the square of the mean.
  Tensor spread(const Tensor& g, const Tensor& squares, const Run& run) {
    if (!settings_.centered) return squares.clone();
    Tensor mean = run.of(mean_);
    mean.lerp_(g, 1 - settings_.alpha);
    return squares.addcmul(mean, mean, -1);
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor squares_, mean_, momentum_;  // (n)
};

}  // namespace

std::unique_ptr<Optimizer> make_rmsprop(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<RmsProp>(settings, target);
}

}  // namespace leco
