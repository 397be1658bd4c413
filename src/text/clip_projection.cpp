#include "text/clip_projection.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include "core/error.h"

namespace leco {

ClipProjection::ClipProjection(const ClipTextConfig& config, StateDict& weights, torch::Device device,
                               torch::ScalarType compute)
    : end_(config.eos_token_id) {
  if (config.projection_dim == 0) {
    throw_usage(
        fmt::format("the config.json beside '{}' has no 'projection_dim'; SDXL's second text encoder "
                    "has one, the width of the pooled text",
                    weights.origin()));
  }
  weight_ = weights.take_weight("text_projection.weight", {config.projection_dim, config.hidden_size})
                .to(device, compute);
}

torch::Tensor ClipProjection::operator()(const torch::Tensor& ids, const torch::Tensor& hidden) const {
  LECO_ASSERT(ids.dim() == 2 && hidden.dim() == 3 && ids.is_cpu());
  const at::NoGradGuard no_grad;
  const torch::Tensor is_end = end_ == ClipTextConfig::kLegacyEnd ? ids : ids.eq(end_).to(torch::kInt);
  const torch::Tensor at_end = is_end.argmax(-1).to(hidden.device());  // (n), the first of equal ones
  const torch::Tensor rows = at::arange(ids.size(0), at_end.options());
  return at::linear(hidden.index({rows, at_end}), weight_);
}

}  // namespace leco
