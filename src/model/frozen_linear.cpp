#include "model/frozen_linear.h"

#include <torch/csrc/autograd/custom_function.h>

#include "model/float16_on_cpu.h"

namespace leco {
namespace {

using torch::Tensor;

// So that no graph keeps the weight's float32 form.
struct LinearFunction : torch::autograd::Function<LinearFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const FrozenLinear* linear) {
    context->saved_data["linear"] =
        reinterpret_cast<int64_t>(linear);  // the model outlives every graph through it
    return linear->forward(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto* linear = reinterpret_cast<const FrozenLinear*>(context->saved_data["linear"].toInt());
    return {linear->input_gradient(gradients[0]), Tensor()};
  }
};

}  // namespace

Tensor FrozenLinear::operator()(const Tensor& x) const {
  const bool differentiable = at::GradMode::is_enabled() && x.requires_grad();
  return differentiable && is_float16_on_cpu(weight_) ? LinearFunction::apply(x, this) : forward(x);
}

Tensor FrozenLinear::forward(const Tensor& x) const {
  if (!is_float16_on_cpu(weight_)) return bias_ ? at::addmm(*bias_, x, weight_) : at::mm(x, weight_);
  const Tensor rows = x.to(torch::kFloat32), weight = weight_.to(torch::kFloat32);
  return (bias_ ? at::addmm(bias_->to(torch::kFloat32), rows, weight) : at::mm(rows, weight))
      .to(torch::kFloat16);
}

Tensor FrozenLinear::input_gradient(const Tensor& output_gradient) const {
  return matrix_product(output_gradient, weight_.t());
}

}  // namespace leco
