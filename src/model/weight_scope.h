// A place in the tree of weight names, while a model is built: unet / "down_blocks.0" / "resnets.1" →
// take("conv1.weight").
#pragma once

#include <string>
#include <vector>

#include "io/state_dict.h"

namespace leco {

// Where weights live and how layers compute.
struct Placement {
  torch::Device device = torch::kCPU;
  torch::ScalarType dtype = torch::kFloat32;  // of weights and activations: float32, bfloat16 or float16
  bool adapters_in_dtype = false;             // adapters compute in it as well, instead of in float32
  bool recompute_blocks = false;  // blocks keep their input alone and are computed again for their gradients
};

class WeightScope {
 public:
  WeightScope(StateDict& weights, Placement placement, std::string name = "")
      : weights_(&weights), placement_(placement), name_(std::move(name)) {}

  WeightScope operator/(const std::string& child) const {
    return {*weights_, placement_, name_.empty() ? child : name_ + "." + child};
  }
  const std::string& name() const { return name_; }
  const Placement& placement() const { return placement_; }
  bool contains(const std::string& leaf) const { return weights_->contains(name_ + "." + leaf); }
  torch::Tensor take(const std::string& leaf, const std::vector<int64_t>& shape) const {
    return take_stored(leaf, shape).to(placement_.dtype);
  }
  // In the type of the file, and on the CPU in its mapped memory: for what is converted later.
  torch::Tensor take_stored(const std::string& leaf, const std::vector<int64_t>& shape) const {
    return weights_->take_weight(name_ + "." + leaf, shape).to(placement_.device);
  }

 private:
  StateDict* weights_;
  Placement placement_;
  std::string name_;
};

}  // namespace leco
