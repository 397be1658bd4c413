// All LoRA modules of one run. Their weights lie in one flat float32 buffer and their gradients in another,
// so that merging over ranks and updating are one pass each.
#pragma once

#include <memory>
#include <vector>

#include "config/weight_segment.h"
#include "lora/layer_choice.h"
#include "lora/lora_module.h"

namespace leco {

class LoraNetwork {
 public:
  using Shape = LoraShape;
  // Attaches a module to every chosen layer. Fresh weights by the random contract (SPEC section 2): down =
  // (2u − 1)/sqrt(fan_in), purpose 9, sub = module index; up = 0.
  LoraNetwork(UNet& unet, const std::vector<ChosenLayer>& layers, uint64_t seed);
  LoraNetwork(UNet& unet, const Shape& shape, uint64_t seed)
      : LoraNetwork(unet, choose_layers(unet, shape), seed) {}
  ~LoraNetwork();  // detaches
  LoraNetwork(const LoraNetwork&) = delete;
  LoraNetwork& operator=(const LoraNetwork&) = delete;

  const std::vector<std::unique_ptr<LoraModule>>& modules() const { return modules_; }

  // (n), module by module: down, then up, row-major. The modules' tensors are views of it.
  torch::Tensor& weights() { return weights_; }
  // Its matrices, in order: down, up, down, … A factor is of the learning rate.
  const std::vector<WeightSegment>& segments() const { return segments_; }
  // (n), filled by backward(); add to nothing else.
  torch::Tensor& gradients() { return gradients_; }

 private:
  void add_segments(const LoraModule& module, int64_t offset);
  torch::Tensor leaf(int64_t offset, const std::vector<int64_t>& shape);
  std::vector<AdaptedLayer*> layers_;
  torch::Tensor weights_, gradients_;
  std::vector<WeightSegment> segments_;
  std::vector<std::unique_ptr<LoraModule>> modules_;
};

}  // namespace leco
