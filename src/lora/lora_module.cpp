#include "lora/lora_module.h"

#include <utility>

#include "lora/adapter_products.h"

namespace leco {

using torch::Tensor;

LoraModule::LoraModule(Site site, Tensor down, Tensor up)
    : site_(std::move(site)), down_(std::move(down)), up_(std::move(up)) {}

void LoraModule::add_delta(Tensor& output, const Tensor& input, const AdapterPass& pass) const {
  if (input.dim() == 4)
    add_to_pictures(output, input, pass);
  else
    add_to_rows(output, input, pass);
}

double LoraModule::scale(const AdapterPass& pass) const {
  const double multiplier = pass.multipliers.defined() ? 1.0 : pass.multiplier;
  return multiplier * site_.alpha / static_cast<double>(site_.rank);
}

void LoraModule::add_to_rows(Tensor& output, const Tensor& input, const AdapterPass& pass) const {
  Tensor low = lower(input, down_, site_.in_layer_type);  // (B·L, rank)
  if (pass.dropout && pass.dropout->drops()) {
    const int64_t rows = pass.dropout->rows(), tokens = low.size(0) / rows;
    Tensor factors = pass.dropout->factors(site_.index, {tokens, site_.rank, is_convolution()});
    if (is_convolution()) factors = factors.transpose(1, 2);
    low = (low.view({rows, tokens, site_.rank}) * factors).view_as(low);
  }
  if (pass.multipliers.defined()) {
    low = (low.view({pass.multipliers.size(0), -1, site_.rank}) * pass.multipliers.view({-1, 1, 1}))
              .view_as(low);
  }
  raise(output, low, up_, scale(pass), site_.in_layer_type);
}

void LoraModule::add_to_pictures(Tensor& output, const Tensor& input, const AdapterPass& pass) const {
  Tensor low = lower_pictures(input, down_, site_.layer->shape(), site_.in_layer_type);  // (B, rank, H, W)
  if (pass.dropout && pass.dropout->drops()) {
    const int64_t height = low.size(2), width = low.size(3);
    const Tensor factors = pass.dropout->factors(site_.index, {height * width, site_.rank, true});
    low = low * (factors.size(-1) == 1 ? factors.unsqueeze(-1) : factors.unflatten(-1, {height, width}));
  }
  if (pass.multipliers.defined()) {
    const int64_t samples = low.size(0) / pass.multipliers.size(0);
    low = low * pass.multipliers.repeat_interleave(samples).view({-1, 1, 1, 1});
  }
  raise_pictures(output, low, up_, scale(pass), site_.in_layer_type);
}

}  // namespace leco
