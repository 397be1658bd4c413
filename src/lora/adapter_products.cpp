#include "lora/adapter_products.h"

#include <torch/csrc/autograd/custom_function.h>

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

// The type that a LoRA on pictures of this one computes in. PyTorch has no convolution of float16 on the CPU
// that is worth the name: there values are rounded to it and products are not.
torch::ScalarType product_type(const Tensor& pictures, bool in_their_type) {
  const bool float16_on_cpu = pictures.is_cpu() && pictures.scalar_type() == torch::kFloat16;
  return in_their_type && !float16_on_cpu ? pictures.scalar_type() : torch::kFloat32;
}

// As a weight of the type: with `in_their_type` rounded to the pictures'.
Tensor kernel_of(const Tensor& weight, const Tensor& pictures, bool in_their_type) {
  const Tensor rounded = in_their_type ? weight.to(pictures.scalar_type()) : weight;
  return rounded.to(product_type(pictures, in_their_type));
}

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

Tensor lower_pictures(const Tensor& input, const Tensor& down, const LayerShape& shape, bool in_input_type) {
  const Tensor kernel =
      kernel_of(down, input, in_input_type).view({down.size(0), shape.in, shape.kernel, shape.kernel});
  const Tensor low = at::conv2d(input.to(product_type(input, in_input_type)), kernel, /*bias=*/{},
                                shape.stride, shape.kernel / 2);
  return in_input_type ? low.to(input.scalar_type()) : low;
}

void raise_pictures(Tensor& output, const Tensor& low, const Tensor& up, double scale, bool in_output_type) {
  const auto type = output.scalar_type();
  const Tensor kernel = kernel_of(up, output, in_output_type).view({up.size(0), up.size(1), 1, 1});
  const Tensor delta = at::conv2d(low.to(product_type(output, in_output_type)), kernel);
  if (type == torch::kFloat32 || in_output_type)
    output.add_(delta.to(type), scale);
  else
    output = output.to(torch::kFloat32).add_(delta, scale).to(type);
}

}  // namespace leco
