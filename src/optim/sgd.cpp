// Stochastic gradient descent with momentum, Nesterov's as well, as torch.optim.SGD computes it.
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class Sgd final : public Optimizer {
 public:
  Sgd(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize), settings_(settings), runs_(runs_of(target.segments)) {
    keep("step", steps_);
    if (settings.momentum == 0) return;
    momentum_ = at::zeros({target.count()}, target.options);
    keep("momentum_buffer", momentum_);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient);
      if (settings_.weight_decay != 0) g.add_(w, settings_.weight_decay);
      w.add_(direction(g, run), -rate * run.rate_factor);
    }
    ++steps_;
  }

  // The first momentum is the gradient itself, undampened.
  Tensor direction(const Tensor& g, const Run& run) {
    if (settings_.momentum == 0) return g;
    Tensor buffer = run.of(momentum_);
    if (steps_ == 0)
      buffer.copy_(g);
    else
      buffer.mul_(settings_.momentum).add_(g, 1 - settings_.dampening);
    return settings_.nesterov ? g.add(buffer, settings_.momentum) : buffer;
  }

  OptimizerSettings settings_;
  std::vector<Run> runs_;
  Tensor momentum_;  // (n)
  double steps_ = 0;
};

}  // namespace

std::unique_ptr<Optimizer> make_sgd(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Sgd>(settings, target);
}

}  // namespace leco
