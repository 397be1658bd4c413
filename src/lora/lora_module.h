// One LoRA on one layer: output += m·(alpha/rank)·up(down(x)). Hu et al., "LoRA", 2021; scale as in
// sd-scripts. On a k×k convolution `down` is one of the same kernel, stride and padding, and `up` one of 1×1
// (LoCon).
#pragma once

#include <string>

#include "lora/dropout_masks.h"
#include "model/adapter.h"

namespace leco {

class LoraModule final : public Adapter {
 public:
  struct Site {
    int64_t index;              // position among this LoRA's modules: part of the random contract
    const AdaptedLayer* layer;  // what it is attached to
    std::string file_name;      // "lora_unet_down_blocks_0_…": its name in LoRA files
    int64_t rank;
    double alpha;
    double down_rate = 1.0, up_rate = 1.0;  // factors of the learning rate
    bool in_layer_type = false;             // computes in its layer's type instead of in float32
  };
  // down (rank, in), or (rank, in, k, k) where k > 1, and up (out, rank) are float32 leaves that require
  // gradients.
  LoraModule(Site site, torch::Tensor down, torch::Tensor up);

  void add_delta(torch::Tensor& output, const torch::Tensor& input, const AdapterPass& pass) const override;

  void append_parameters(std::vector<torch::Tensor>& parameters) const override {
    parameters.insert(parameters.end(), {down_, up_});
  }

  const Site& site() const { return site_; }
  const torch::Tensor& down() const { return down_; }
  const torch::Tensor& up() const { return up_; }
  bool is_convolution() const { return site_.layer->shape().convolution; }
  const std::string& file_name() const { return site_.file_name; }

 private:
  void add_to_rows(torch::Tensor& output, const torch::Tensor& input, const AdapterPass& pass) const;
  void add_to_pictures(torch::Tensor& output, const torch::Tensor& input, const AdapterPass& pass) const;
  // Behind the multiplier, which a pass may have for each sample.
  double scale(const AdapterPass& pass) const;

  Site site_;
  torch::Tensor down_, up_;
};

}  // namespace leco
