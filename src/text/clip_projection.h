// The pooled text of transformers' CLIPTextModelWithProjection: what the encoder knows at a prompt's end.
#pragma once

#include <torch/types.h>

#include "io/state_dict.h"
#include "text/clip_config.h"

namespace leco {

class ClipProjection {
 public:
  // Takes `text_projection.weight` (projection_dim, D) out of `weights`; a missing or mis-shaped one is a
  // usage error that names it.
  ClipProjection(const ClipTextConfig& config, StateDict& weights, torch::Device device,
                 torch::ScalarType compute);

  // ids (n, length) int64 on the CPU; hidden (n, length, D), the last hidden state after the final norm
  // → (n, projection_dim), its projection at the first end token, or at the start where there is none.
  torch::Tensor operator()(const torch::Tensor& ids, const torch::Tensor& hidden) const;

 private:
  int64_t end_;
  torch::Tensor weight_;
};

}  // namespace leco
