#include "lora/lora_network.h"

#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "lora/module_names.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor initial_down(uint64_t seed, int64_t module, const std::vector<int64_t>& shape) {
  Tensor down = at::empty(shape, torch::kFloat32);
  std::vector<double> uniform(down.numel());
  Draws(seed, {.purpose = Purpose::kLoraInitialisation, .sub = module}).fill_uniform(uniform);
  const auto fan_in = static_cast<double>(down.numel() / shape[0]);
  float* out = down.data_ptr<float>();
  for (size_t i = 0; i < uniform.size(); ++i)
    out[i] = static_cast<float>((2 * uniform[i] - 1) / std::sqrt(fan_in));
  return down;
}

std::vector<int64_t> down_shape(const ChosenLayer& chosen) {
  const LayerShape& shape = chosen.layer->shape();
  if (shape.kernel == 1) return {chosen.rank, shape.in};
  return {chosen.rank, shape.in, shape.kernel, shape.kernel};
}

int64_t down_count(const ChosenLayer& chosen) {
  const LayerShape& shape = chosen.layer->shape();
  return chosen.rank * shape.in * shape.kernel * shape.kernel;
}

int64_t up_count(const ChosenLayer& chosen) {
  return chosen.layer->shape().out * chosen.rank;
}

}  // namespace

LoraNetwork::LoraNetwork(UNet& unet, const std::vector<ChosenLayer>& layers, uint64_t seed) {
  LECO_ASSERT(!layers.empty());
  int64_t count = 0;
  for (const ChosenLayer& chosen : layers) count += down_count(chosen) + up_count(chosen);
  const auto options = at::TensorOptions(torch::kFloat32).device(unet.placement().device);
  weights_ = at::zeros({count}, options);
  gradients_ = at::zeros({count}, options);

  int64_t offset = 0;
  for (const ChosenLayer& chosen : layers) {
    const auto index = static_cast<int64_t>(modules_.size());
    AdaptedLayer* layer = chosen.layer;
    Tensor down = leaf(offset, down_shape(chosen));
    Tensor up = leaf(offset + down_count(chosen), {layer->shape().out, chosen.rank});
    weights_.narrow(0, offset, down_count(chosen))
        .view(down.sizes())
        .copy_(initial_down(seed, index, down_shape(chosen)));
    modules_.push_back(std::make_unique<LoraModule>(
        LoraModule::Site{.index = index,
                         .layer = layer,
                         .file_name = lora_file_name(layer->name(), unet.config()),
                         .rank = chosen.rank,
                         .alpha = chosen.alpha,
                         .down_rate = chosen.down_rate,
                         .up_rate = chosen.up_rate,
                         .in_layer_type = unet.placement().adapters_in_dtype},
        down, up));
    layers_.push_back(layer);
    layer->attach(modules_.back().get());
    add_segments(*modules_.back(), offset);
    offset += down_count(chosen) + up_count(chosen);
  }
}

LoraNetwork::~LoraNetwork() {
  for (AdaptedLayer* layer : layers_) layer->attach(nullptr);
}

// A part of the flat buffer that autograd treats as a parameter of its own; its gradient lands in gradients_.
Tensor LoraNetwork::leaf(int64_t offset, const std::vector<int64_t>& shape) {
  const auto part_of = [&](const Tensor& flat) {
    return flat.narrow(0, offset, c10::multiply_integers(shape)).view(shape).detach();
  };
  Tensor parameter = part_of(weights_).requires_grad_();
  parameter.mutable_grad() = part_of(gradients_);
  return parameter;
}

// In a file a convolution's tensors have four dimensions: kernels of k×k numbers, or of one.
void LoraNetwork::add_segments(const LoraModule& module, int64_t offset) {
  for (const Tensor& weight : {module.down(), module.up()}) {
    const bool is_down = weight.is_same(module.down());
    const int64_t kernel = weight.dim() == 4 ? weight.size(2) : 1;
    WeightSegment segment{.offset = offset, .rows = weight.size(0), .columns = weight.size(1)};
    if (module.is_convolution())
      segment = {.offset = offset,
                 .rows = kernel,
                 .columns = kernel,
                 .matrices = weight.numel() / (kernel * kernel)};
    segment.rate_factor = is_down ? module.site().down_rate : module.site().up_rate;
    segments_.push_back(segment);
    offset += weight.numel();
  }
}

}  // namespace leco
