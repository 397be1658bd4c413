#include "lora/adapter_products.h"

#include "model/float16_on_cpu.h"

namespace leco {
namespace {

using torch::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

Tensor in_float32(const Tensor& x) {
  return x.to(torch::kFloat32);
}

struct LowerFunction : torch::autograd::Function<LowerFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& input, const Tensor& down) {
    context->save_for_backward({input, down});
    return at::mm(in_float32(input), down.t());
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &input = saved[0], &down = saved[1], &gradient = gradients[0];
    const Tensor of_input =
        context->needs_input_grad(0) ? at::mm(gradient, down).to(input.scalar_type()) : Tensor();
    return {of_input, at::mm(gradient.t(), in_float32(input))};
  }
};

struct RaiseFunction : torch::autograd::Function<RaiseFunction> {
  static Tensor forward(AutogradContext* context, const Tensor& output, const Tensor& low, const Tensor& up,
                        double scale) {
    context->save_for_backward({low, up});
    context->saved_data["scale"] = scale;
    return in_float32(output).addmm_(low, up.t(), /*beta=*/1, /*alpha=*/scale).to(output.scalar_type());
  }
  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const auto saved = context->get_saved_variables();
    const Tensor &low = saved[0], &up = saved[1];
    const Tensor gradient = in_float32(gradients[0]).mul_(context->saved_data["scale"].toDouble());
    return {gradients[0], at::mm(gradient, up), at::mm(gradient.t(), low), Tensor()};
  }
};

}  // namespace

Tensor lower(const Tensor& input, const Tensor& down, bool in_input_type) {
  const auto type = input.scalar_type();
  if (type == torch::kFloat32) return at::linear(input, down);
  if (in_input_type) return matrix_product(input, down.to(type).t());
  return LowerFunction::apply(input, down);
}

void raise(Tensor& output, const Tensor& low, const Tensor& up, double scale, bool in_output_type) {
  const auto type = output.scalar_type();
  if (type == torch::kFloat32) {
    output.addmm_(low, up.t(), /*beta=*/1, /*alpha=*/scale);
  } else if (in_output_type) {
    output.add_(matrix_product(low.to(type), up.to(type).t()), scale);
  } else {
    output = RaiseFunction::apply(output, low, up, scale);
  }
}

}  // namespace leco
