// The slot through which a LoRA acts on a frozen layer. The U-Net knows this interface only; src/lora fills
// it.
#pragma once

#include <torch/types.h>

#include <memory>
#include <vector>

namespace leco {

class DropoutMasks;

// How adapters act in one U-Net call. It is passed down the call, so that no state says whether a LoRA is on.
struct AdapterPass {
  bool on = false;
  double multiplier = 1.0;  // of every sample
  torch::Tensor multipliers =
      {};  // (P), on the device: when defined, one for each of P equal runs of samples instead
  // The trained prediction's masks; null: none. Shared, since blocks that are computed again ask for them
  // during the backward pass.
  std::shared_ptr<const DropoutMasks> dropout = nullptr;
};

inline AdapterPass adapters_off() {
  return {};
}

// On, with one multiplier for each of equal runs of samples.
AdapterPass adapters_on(const std::vector<double>& multipliers, torch::Device device);

class Adapter {
 public:
  virtual ~Adapter() = default;
  // output += m·(alpha/rank)·up(down(input)), in place. input (B·L, in), output (B·L, out), rows in sample
  // order.
  virtual void add_delta(torch::Tensor& output, const torch::Tensor& input,
                         const AdapterPass& pass) const = 0;
  // Appends its trained tensors.
  virtual void append_parameters(std::vector<torch::Tensor>& parameters) const = 0;
};

}  // namespace leco
