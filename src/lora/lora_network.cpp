#include "lora/lora_network.h"

#include <cmath>

#include "core/error.h"
#include "core/philox.h"
#include "lora/module_names.h"

namespace leco {
namespace {

using torch::Tensor;

Tensor initial_down(uint64_t seed, int64_t module, int64_t rank, int64_t fan_in) {
  std::vector<double> uniform(rank * fan_in);
  Draws(seed, {.purpose = Purpose::kLoraInitialisation, .sub = module}).fill_uniform(uniform);
  Tensor down = at::empty({rank, fan_in}, torch::kFloat32);
  float* out = down.data_ptr<float>();
  for (size_t i = 0; i < uniform.size(); ++i)
    out[i] = static_cast<float>((2 * uniform[i] - 1) / std::sqrt(static_cast<double>(fan_in)));
  return down;
}

}  // namespace

LoraNetwork::LoraNetwork(UNet& unet, Shape shape, uint64_t seed)
    : shape_(shape), layers_(unet.transformer_linears()) {
  LECO_ASSERT(!layers_.empty());
  int64_t count = 0;
  for (const Linear* layer : layers_) count += shape.rank * (layer->shape().in + layer->shape().out);
  const auto options = at::TensorOptions(torch::kFloat32).device(unet.placement().device);
  weights_ = at::zeros({count}, options);
  gradients_ = at::zeros({count}, options);

  int64_t offset = 0;
  for (Linear* layer : layers_) {
    const auto index = static_cast<int64_t>(modules_.size());
    const int64_t in = layer->shape().in, out = layer->shape().out;
    Tensor down = leaf(offset, shape.rank, in);
    Tensor up = leaf(offset + shape.rank * in, out, shape.rank);
    weights_.narrow(0, offset, shape.rank * in)
        .view({shape.rank, in})
        .copy_(initial_down(seed, index, shape.rank, in));
    modules_.push_back(std::make_unique<LoraModule>(
        LoraModule::Site{.index = index,
                         .layer = layer,
                         .file_name = lora_file_name(layer->name(), unet.config()),
                         .rank = shape.rank,
                         .alpha = shape.alpha,
                         .in_layer_type = unet.placement().adapters_in_dtype},
        down, up));
    layer->attach(modules_.back().get());
    add_segments(*modules_.back(), offset);
    offset += shape.rank * (in + out);
  }
}

LoraNetwork::~LoraNetwork() {
  for (Linear* layer : layers_) layer->attach(nullptr);
}

// A matrix of the flat buffer that autograd treats as a parameter of its own; its gradient lands in
// gradients_.
Tensor LoraNetwork::leaf(int64_t offset, int64_t rows, int64_t columns) {
  const auto matrix_of = [&](const Tensor& flat) {
    return flat.narrow(0, offset, rows * columns).view({rows, columns}).detach();
  };
  Tensor parameter = matrix_of(weights_).requires_grad_();
  parameter.mutable_grad() = matrix_of(gradients_);
  return parameter;
}

// In a file a 1×1 convolution's matrices are kernels of one number each.
void LoraNetwork::add_segments(const LoraModule& module, int64_t offset) {
  for (const Tensor& matrix : {module.down(), module.up()}) {
    segments_.push_back(
        module.is_convolution()
            ? WeightSegment{.offset = offset, .rows = 1, .columns = 1, .matrices = matrix.numel()}
            : WeightSegment{.offset = offset, .rows = matrix.size(0), .columns = matrix.size(1)});
    offset += matrix.numel();
  }
}

}  // namespace leco
