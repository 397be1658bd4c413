#include "model/frozen_conv.h"

#include <ATen/Version.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <torch/csrc/autograd/custom_function.h>

#include <utility>

namespace leco {
namespace {

using torch::IntArrayRef;
using torch::Tensor;
using OptionalTensor = std::optional<Tensor>;
using Scalars = c10::List<std::optional<at::Scalar>>;

constexpr int64_t kMostPixelsByBlocks = 64;  // beyond, oneDNN's own backward pass is faster (measured)
constexpr int64_t kNoDilation[] = {1, 1};
// In float16 the plain kernel is slow in proportion to the pixels, and raising the weight to float32 to its
// size (measured at 1280 → 1280: equal near 60 pixels).
constexpr int64_t kMostPixelsInFloat16 = 48;

// oneDNN's operators on laid-out weights have no C++ wrapper in ATen; the dispatcher knows them by name.
template <class Signature>
auto find_operator(const char* name) {
  return c10::Dispatcher::singleton().findSchemaOrThrow(name, "").typed<Signature>();
}

Tensor laid_out(const Tensor& weight, IntArrayRef padding, IntArrayRef stride, IntArrayRef input_shape) {
  static const auto op =
      find_operator<Tensor(const Tensor&, IntArrayRef, IntArrayRef, IntArrayRef, int64_t,
                           at::OptionalIntArrayRef)>("mkldnn::_reorder_convolution_weight");
  return op.call(weight, padding, stride, kNoDilation, /*groups=*/1, input_shape);
}

Tensor convolve_laid_out(const Tensor& x, const Tensor& weight, const OptionalTensor& bias,
                         IntArrayRef padding, IntArrayRef stride) {
  static const auto op =
      find_operator<Tensor(const Tensor&, const Tensor&, const OptionalTensor&, IntArrayRef, IntArrayRef,
                           IntArrayRef, int64_t, std::string_view, Scalars, std::optional<std::string_view>)>(
          "mkldnn::_convolution_pointwise");
  return op.call(x, weight, bias, padding, stride, kNoDilation, /*groups=*/1, "none", Scalars(),
                 std::nullopt);
}

// oneDNN's bfloat16 wants AVX-512.
bool onednn_serves(torch::Device device, torch::ScalarType dtype) {
  const bool has_type =
      dtype == torch::kFloat32 || (dtype == torch::kBFloat16 && at::get_cpu_capability() == "AVX512");
  return device.is_cpu() && has_type && at::globalContext().userEnabledMkldnn();
}

// oneDNN's layout is its own affair, but on AVX-512 it is (out/b, k, k, in, b) with a block b of output
// channels side by side, and often without padding. Where samples of the memory confirm that, it is read as
// such; elsewhere the result is undefined and the plain way is taken.
Tensor view_as_blocks(const Tensor& laid_out, const Tensor& weight) {
  static const auto bytes = find_operator<int64_t(const Tensor&)>("mkldnn::_nbytes");
  static const auto address = find_operator<int64_t(const Tensor&)>("mkldnn::data_ptr");
  const int64_t out = weight.size(0), in = weight.size(1), kernel = weight.size(2);
  if (weight.scalar_type() != torch::kFloat32 || bytes.call(laid_out) != weight.numel() * 4) return {};
  const auto agrees = [&](const Tensor& blocks, int64_t block) {
    for (const int64_t o : {int64_t{0}, int64_t{1}, out / 3, out / 2, out - 1})
      for (const int64_t i : {int64_t{0}, in / 2, in - 1})
        if (!blocks.select(0, o / block).select(-1, o % block).select(-1, i).equal(weight[o][i]))
          return false;
    return true;
  };
  for (const int64_t block : {64, 48, 32, 16}) {
    if (out % block != 0) continue;
    const Tensor blocks = at::from_blob(
        reinterpret_cast<void*>(address.call(laid_out)), {out / block, kernel, kernel, in, block},
        [laid_out](void*) {}, torch::kFloat32);
    if (agrees(blocks, block)) return blocks.view({out / block, kernel * kernel * in, block});
  }
  return {};
}

struct ConvFunction : torch::autograd::Function<ConvFunction> {
  static Tensor forward(torch::autograd::AutogradContext* context, const Tensor& x,
                        const FrozenConv2d* conv) {
    context->saved_data["conv"] =
        reinterpret_cast<int64_t>(conv);  // the model outlives every graph through it
    context->saved_data["shape"] = x.sizes();
    return conv->forward(x);
  }
  static torch::autograd::variable_list backward(torch::autograd::AutogradContext* context,
                                                 torch::autograd::variable_list gradients) {
    const auto* conv = reinterpret_cast<const FrozenConv2d*>(context->saved_data["conv"].toInt());
    return {conv->input_gradient(gradients[0], context->saved_data["shape"].toIntVector()), Tensor()};
  }
};

}  // namespace

FrozenConv2d::FrozenConv2d(const Tensor& weight, OptionalTensor bias, int64_t stride, torch::ScalarType dtype)
    : in_(weight.size(1)),
      out_(weight.size(0)),
      kernel_(weight.size(2)),
      stride_(2, stride),
      padding_(2, kernel_ / 2),
      dtype_(dtype),
      onednn_(onednn_serves(weight.device(), dtype)),
      in_float16_(weight.is_cpu() && dtype == torch::kFloat16),
      weight_(onednn_ ? weight : weight.to(dtype)),
      bias_(std::move(bias)) {}

void FrozenConv2d::lay_out(IntArrayRef input_shape) const {
  const Tensor plain = weight_.to(dtype_).contiguous();
  weight_ = laid_out(plain, padding_, stride_, input_shape);
  blocks_ = view_as_blocks(weight_, plain);
}

// oneDNN gives back exactly what it was given.
void FrozenConv2d::forget_layout() const {
  if (!weight_.is_mkldnn()) return;
  blocks_ = Tensor();
  weight_ = weight_.to_dense();
}

Tensor FrozenConv2d::operator()(const Tensor& x) const {
  const bool differentiable = at::GradMode::is_enabled() && x.requires_grad();
  return differentiable && (onednn_ || in_float16_) ? ConvFunction::apply(x, this) : forward(x);
}

Tensor FrozenConv2d::forward_in_float16(const Tensor& x) const {
  const int64_t pixels = x.size(0) * x.size(2) * x.size(3) / (stride_[0] * stride_[1]);
  if (pixels <= kMostPixelsInFloat16)
    return at::conv2d(x, weight_, bias_, stride_, padding_, kNoDilation, /*groups=*/1);
  const auto raised = [](const Tensor& number) { return number.to(torch::kFloat32); };
  return at::conv2d(raised(x), raised(weight_), bias_ ? OptionalTensor(raised(*bias_)) : std::nullopt,
                    stride_, padding_, kNoDilation, /*groups=*/1)
      .to(torch::kFloat16);
}

Tensor FrozenConv2d::forward(const Tensor& x) const {
  if (in_float16_) return forward_in_float16(x);
  if (!onednn_) return at::conv2d(x, weight_, bias_, stride_, padding_, kNoDilation, /*groups=*/1);
  if (!weight_.is_mkldnn()) lay_out(x.sizes());
  return convolve_laid_out(x, weight_, bias_, padding_, stride_);
}

Tensor FrozenConv2d::input_gradient(const Tensor& output_gradient, IntArrayRef input_shape) const {
  Tensor gradient = output_gradient.contiguous(at::MemoryFormat::ChannelsLast);
  if (blocks_.defined() && gradient.numel() / out_ <= kMostPixelsByBlocks)
    return gradient_by_blocks(gradient, input_shape);
  const auto type = gradient.scalar_type();
  Tensor weight = onednn_ ? weight_.to_dense() : weight_;
  if (in_float16_) {
    gradient = gradient.to(torch::kFloat32);
    weight = weight.to(torch::kFloat32);
  }
  const Tensor unread_input =
      at::empty(input_shape, gradient.options().memory_format(at::MemoryFormat::ChannelsLast));
  return std::get<0>(at::convolution_backward(
                         gradient, unread_input, weight,
                         /*bias_sizes=*/at::OptionalIntArrayRef(), stride_, padding_, kNoDilation,
                         /*transposed=*/false, /*output_padding=*/{0, 0}, /*groups=*/1, {true, false, false}))
      .to(type);
}

// Straight from the laid-out weight. Each output pixel's gradient gives a k×k patch of the input's: patches =
// Σ over blocks of (pixels, 32)·(32, k·k·in). Then the patches are added up where they overlap.
Tensor FrozenConv2d::gradient_by_blocks(const Tensor& output_gradient, IntArrayRef input_shape) const {
  const int64_t batch = output_gradient.size(0), height = output_gradient.size(2),
                width = output_gradient.size(3);
  const Tensor pixels = output_gradient.permute({0, 2, 3, 1}).reshape({-1, out_});
  Tensor patches = at::zeros({pixels.size(0), kernel_ * kernel_ * in_}, pixels.options());
  const int64_t channels = blocks_.size(2);  // of a block
  for (int64_t block = 0; block < blocks_.size(0); ++block)
    patches.addmm_(pixels.narrow(1, block * channels, channels), blocks_[block].t());
  patches = patches.view({batch, height, width, kernel_, kernel_, in_});

  const int64_t border = padding_[0], stride = stride_[0];
  Tensor padded =
      at::zeros({batch, input_shape[2] + 2 * border, input_shape[3] + 2 * border, in_}, pixels.options());
  for (int64_t y = 0; y < kernel_; ++y)
    for (int64_t x = 0; x < kernel_; ++x)
      padded.slice(1, y, y + stride * (height - 1) + 1, stride)
          .slice(2, x, x + stride * (width - 1) + 1, stride)
          .add_(patches.select(3, y).select(3, x));
  return padded.narrow(1, border, input_shape[2])
      .narrow(2, border, input_shape[3])
      .permute({0, 3, 1, 2})
      .contiguous(at::MemoryFormat::ChannelsLast);
}

}  // namespace leco
