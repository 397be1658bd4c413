#include "lora/lora_module.h"

#include <utility>

#include "lora/adapter_products.h"

namespace leco {

using torch::Tensor;

LoraModule::LoraModule(Site site, Tensor down, Tensor up)
    : site_(std::move(site)), down_(std::move(down)), up_(std::move(up)) {}

void LoraModule::add_delta(Tensor& output, const Tensor& input, const AdapterPass& pass) const {
  Tensor low = lower(input, down_, site_.in_layer_type);  // (B·L, rank)
  if (pass.dropout && pass.dropout->drops_neurons()) {
    low = low * pass.dropout->neuron(site_.index, low.size(0), site_.rank, is_convolution());
  }
  if (pass.multipliers.defined()) {
    low = (low.view({pass.multipliers.size(0), -1, site_.rank}) * pass.multipliers.view({-1, 1, 1}))
              .view_as(low);
  }
  const double multiplier = pass.multipliers.defined() ? 1.0 : pass.multiplier;
  raise(output, low, up_, multiplier * site_.alpha / static_cast<double>(site_.rank), site_.in_layer_type);
}

}  // namespace leco
