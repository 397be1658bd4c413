#include "model/layers.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor take_matrix(const WeightScope& scope, const LayerShape& shape) {
  if (!shape.convolution) return scope.take("weight", {shape.out, shape.in});
  return scope.take("weight", {shape.out, shape.in, 1, 1}).view({shape.out, shape.in});
}

// ATen's channels-last kernel for small pictures works group by group; with few channels a group it takes up
// to twenty times as long as two copies and the plain kernel (measured: 454 against 21 µs for 32 channels at
// 16 × 16, 122 against 64 for 320 at 8 × 8, even at 640), and its E[x²] − E[x]² in float32 is less exact.
bool reads_channels_last_slowly(const Tensor& x, int64_t groups) {
  constexpr int64_t kSmallPicture = 1024, kFewChannels = 16;
  return x.is_cpu() && x.is_contiguous(at::MemoryFormat::ChannelsLast) &&
         x.size(2) * x.size(3) < kSmallPicture && x.size(1) / groups < kFewChannels;
}

}  // namespace

Linear::Linear(const WeightScope& scope, LayerShape shape)
    : AdaptedLayer(scope.name(), shape),
      product_(take_matrix(scope, shape),
               shape.bias ? std::optional(scope.take("bias", {shape.out})) : std::nullopt) {}

Tensor Linear::operator()(const Tensor& x, const AdapterPass& pass) const {
  const Tensor rows = x.reshape({-1, shape().in});
  Tensor output = product_(rows);
  add_delta(output, rows, pass);
  std::vector<int64_t> sizes = x.sizes().vec();
  sizes.back() = shape().out;
  return output.view(sizes);
}

Conv2d::Conv2d(const WeightScope& scope, LayerShape shape)
    : AdaptedLayer(scope.name(), shape),
      convolution_(load_conv(scope, shape.in, shape.out, shape.kernel, shape.stride)) {}

Tensor Conv2d::operator()(const Tensor& x, const AdapterPass& pass) const {
  Tensor output = convolution_(x);
  add_delta(output, x, pass);
  return output;
}

FrozenConv2d load_conv(const WeightScope& scope, int64_t in, int64_t out, int64_t kernel, int64_t stride) {
  return {scope.take_stored("weight", {out, in, kernel, kernel}), scope.take("bias", {out}), stride,
          scope.placement().dtype};
}

GroupNorm::GroupNorm(const WeightScope& scope, int64_t channels, int64_t groups, double eps)
    : groups_(groups),
      eps_(eps),
      weight_(scope.take("weight", {channels})),
      bias_(scope.take("bias", {channels})) {}

Tensor GroupNorm::operator()(const Tensor& x) const {
  if (!reads_channels_last_slowly(x, groups_)) return at::group_norm(x, groups_, weight_, bias_, eps_);
  return at::group_norm(x.contiguous(), groups_, weight_, bias_, eps_)
      .contiguous(at::MemoryFormat::ChannelsLast);
}

LayerNorm::LayerNorm(const WeightScope& scope, int64_t features)
    : weight_(scope.take("weight", {features})), bias_(scope.take("bias", {features})) {}

Tensor LayerNorm::operator()(const Tensor& x) const {
  return at::layer_norm(x, weight_.sizes(), weight_, bias_, 1e-5);
}

Tensor silu_of_temporary(Tensor x) {
  const bool graph_needs_it = at::GradMode::is_enabled() && x.requires_grad();
  return graph_needs_it ? at::silu(x) : at::silu_(x);
}

}  // namespace leco
