#include "model/frozen.h"

#include <ATen/core/dispatch/Dispatcher.h>

namespace leco {
namespace {

using torch::IntArrayRef;
using torch::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Scalars = c10::List<std::optional<at::Scalar>>;

// oneDNN's laid-out operators have no C++ wrapper in ATen; the dispatcher knows them by name.
template <class Signature>
auto find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

Tensor lay_out_linear(const Tensor& weight) {
  static const auto op =
      find_operator<Tensor(const Tensor&, std::optional<int64_t>)>("mkldnn::_reorder_linear_weight");
  return op.call(weight, std::nullopt);
}

Tensor laid_out_linear(const Tensor& input, const Tensor& weight, const OptionalTensor& bias) {
  static const auto op =
      find_operator<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, std::string_view, Scalars,
                           std::optional<std::string_view>)>("mkldnn::_linear_pointwise");
  return op.call(input, weight, bias, "none", Scalars(), std::nullopt);
}

Tensor lay_out_conv(const Tensor& weight, IntArrayRef padding, IntArrayRef stride, IntArrayRef dilation) {
  static const auto op =
      find_operator<Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, int64_t,
                           at::OptionalIntArrayRef)>("mkldnn::_reorder_convolution_weight");
  return op.call(weight, padding, stride, dilation, /*groups=*/1, std::nullopt);
}

struct ConvShape {
  IntArrayRef padding, stride, dilation;
};

Tensor laid_out_conv(const Tensor& input, const Tensor& weight, const OptionalTensor& bias,
                     const ConvShape& shape) {
  static const auto op =
      find_operator<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef, IntArrayRef,
                           IntArrayRef, int64_t, std::string_view, Scalars, std::optional<std::string_view>)>(
          "mkldnn::_convolution_pointwise");
  return op.call(input, weight, bias, shape.padding, shape.stride, shape.dilation, /*groups=*/1, "none",
                 Scalars(), std::nullopt);
}

bool onednn_serves(const Tensor& weight) {
  return weight.device().is_cpu() && weight.scalar_type() == torch::kFloat32 &&
         at::globalContext().userEnabledMkldnn();
}

// Below this many weights a laid-out product costs more in calling oneDNN than it saves (measured: 4 against
// 18 µs at 32 × 32, equal at 640 × 640, 2.3 times faster at 1280 × 10240).
constexpr int64_t kSmallestLaidOutLinear = 1 << 19;

struct FrozenFunction : torch::autograd::Function<FrozenFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& input, const FrozenOp* op) {
    context->saved_data["op"] = reinterpret_cast<int64_t>(op);  // the model outlives every graph through it
    context->saved_data["shape"] = input.sizes();
    return op->forward(input);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list output_gradients) {
    const auto* op = reinterpret_cast<const FrozenOp*>(context->saved_data["op"].toInt());
    return {op->input_gradient(output_gradients[0], context->saved_data["shape"].toIntVector()), Tensor()};
  }
};

}  // namespace

Tensor FrozenOp::operator()(const Tensor& input) const {
  const bool differentiable = at::GradMode::is_enabled() && input.requires_grad();
  return differentiable ? FrozenFunction::apply(input, this) : forward(input);
}

FrozenLinear::FrozenLinear(Tensor weight, OptionalTensor bias)
    : in_features_(weight.size(1)),
      out_features_(weight.size(0)),
      onednn_(onednn_serves(weight) && weight.numel() >= kSmallestLaidOutLinear),
      weight_(onednn_ ? lay_out_linear(weight) : weight.contiguous()),
      bias_(std::move(bias)) {}

Tensor FrozenLinear::forward(const Tensor& input) const {
  return onednn_ ? laid_out_linear(input, weight_, bias_) : at::linear(input, weight_, bias_);
}

Tensor FrozenLinear::input_gradient(const Tensor& output_gradient, IntArrayRef) const {
  return at::mm(output_gradient, onednn_ ? weight_.to_dense() : weight_);
}

FrozenConv2d::FrozenConv2d(Tensor weight, OptionalTensor bias, int64_t stride)
    : stride_(2, stride),
      padding_(2, weight.size(2) / 2),
      onednn_(onednn_serves(weight)),
      weight_(onednn_ ? lay_out_conv(weight, padding_, stride_, dilation_) : weight.contiguous()),
      bias_(std::move(bias)) {}

Tensor FrozenConv2d::forward(const Tensor& input) const {
  return onednn_ ? laid_out_conv(input, weight_, bias_, {padding_, stride_, dilation_})
                 : at::conv2d(input, weight_, bias_, stride_, padding_, dilation_, /*groups=*/1);
}

Tensor FrozenConv2d::input_gradient(const Tensor& output_gradient, IntArrayRef input_shape) const {
  const Tensor weight = onednn_ ? weight_.to_dense() : weight_;
  const auto format = onednn_ ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const Tensor unread_input = at::empty(input_shape, output_gradient.options().memory_format(format));
  return std::get<0>(at::convolution_backward(
      output_gradient.contiguous(format), unread_input, weight,
      /*bias_sizes=*/at::OptionalIntArrayRef(), stride_, padding_, dilation_,
      /*transposed=*/false, /*output_padding=*/{0, 0}, /*groups=*/1, {true, false, false}));
}

}  // namespace leco
