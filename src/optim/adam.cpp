// Kingma & Ba, "Adam", 2015, as torch.optim.Adam computes it; AdamW: Loshchilov & Hutter, "Decoupled Weight
// Decay Regularization", 2019. AMSGrad: Reddi et al., 2018. PyTorch's fused kernels read and write memory
// once.
#include "optim/make_optimizer.h"

namespace leco {
namespace {

using torch::Tensor;

class Adam final : public Optimizer {
 public:
  Adam(const OptimizerSettings& settings, const OptimizerTarget& target)
      : Optimizer(settings.maximize),
        settings_(settings),
        is_decoupled_(settings.kind == OptimizerKind::kAdamW || settings.decoupled_weight_decay),
        runs_(runs_of(target.segments)),
        mean_(at::zeros({target.count()}, target.options)),
        variance_(at::zeros({target.count()}, target.options)),
        steps_(at::zeros({}, target.options)) {
    keep("exp_avg", mean_);
    keep("exp_avg_sq", variance_);
    keep("step", steps_);
    if (!settings.amsgrad) return;
    greatest_ = at::zeros({target.count()}, target.options);
    keep("max_exp_avg_sq", greatest_);
  }

 private:
  void update(Tensor& weights, Tensor& gradient, double rate) override {
    steps_.add_(1);
    for (const Run& run : runs_) {
      Tensor w = run.of(weights), g = run.of(gradient), m = run.of(mean_), v = run.of(variance_);
      std::vector<Tensor> greatest;
      if (settings_.amsgrad) greatest.push_back(run.of(greatest_));
      constexpr auto decoupled = static_cast<Fused>(at::_fused_adamw_),
                     coupled = static_cast<Fused>(at::_fused_adam_);
      (is_decoupled_ ? decoupled : coupled)({w}, {g}, {m}, {v}, greatest, {steps_}, rate * run.rate_factor,
                                            settings_.betas[0], settings_.betas[1], settings_.weight_decay,
                                            settings_.eps, settings_.amsgrad, /*maximize=*/false, {}, {});
    }
  }

  using Fused = void (*)(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                         at::TensorList, double, double, double, double, double, bool, bool,
                         const std::optional<Tensor>&, const std::optional<Tensor>&);
  OptimizerSettings settings_;
  bool is_decoupled_;
  std::vector<Run> runs_;
  Tensor mean_, variance_,
      greatest_;  // (n): running averages of the gradient and of its square; the latter's maximum
  Tensor steps_;  // number of updates, as the fused kernel wants it
};

}  // namespace

std::unique_ptr<Optimizer> make_adam(const OptimizerSettings& settings, const OptimizerTarget& target) {
  return std::make_unique<Adam>(settings, target);
}

}  // namespace leco
