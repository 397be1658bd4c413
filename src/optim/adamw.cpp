#include "optim/adamw.h"

namespace leco {

AdamW::AdamW(const AdamWSettings& settings, const torch::Tensor& weights)
    : settings_(settings),
      mean_(at::zeros_like(weights)),
      variance_(at::zeros_like(weights)),
      steps_(at::zeros({}, weights.options())) {}

void AdamW::step(torch::Tensor& weights, const torch::Tensor& gradient, double learning_rate) {
  const torch::NoGradGuard no_gradient;
  steps_.add_(1);
  at::_fused_adamw_({weights}, {gradient}, {mean_}, {variance_}, /*max_exp_avg_sqs=*/{}, {steps_},
                    learning_rate, settings_.beta1, settings_.beta2, settings_.weight_decay, settings_.eps,
                    /*amsgrad=*/false,
                    /*maximize=*/false);
}

}  // namespace leco
