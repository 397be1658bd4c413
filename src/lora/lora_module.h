// One LoRA on one layer: output += m·(alpha/rank)·up(down(x)). Hu et al., "LoRA", 2021; scale as in
// sd-scripts.
#pragma once

#include <string>

#include "lora/dropout_masks.h"
#include "model/layers.h"

namespace leco {

class LoraModule final : public Adapter {
 public:
  struct Site {
    int64_t index;          // position among this LoRA's modules: part of the random contract
    const Linear* layer;    // what it is attached to
    std::string file_name;  // "lora_unet_down_blocks_0_…": its name in LoRA files
    int64_t rank;
    double alpha;
    bool in_layer_type = false;  // computes in its layer's type instead of in float32
  };
  // down (rank, in) and up (out, rank) are float32 leaves that require gradients.
  LoraModule(Site site, torch::Tensor down, torch::Tensor up);

  void add_delta(torch::Tensor& output, const torch::Tensor& input, const AdapterPass& pass) const override;

  void append_parameters(std::vector<torch::Tensor>& parameters) const override {
    parameters.insert(parameters.end(), {down_, up_});
  }

  const Site& site() const { return site_; }
  const torch::Tensor& down() const { return down_; }
  const torch::Tensor& up() const { return up_; }
  bool is_convolution() const { return site_.layer->shape().stored == Linear::Stored::kConv1x1; }
  const std::string& file_name() const { return site_.file_name; }

 private:
  Site site_;
  torch::Tensor down_, up_;
};

}  // namespace leco
