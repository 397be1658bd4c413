// The slot through which a LoRA acts on a frozen layer. The U-Net knows this interface only; src/lora fills
// it.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <utility>
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
  // output += m·(alpha/rank)·up(down(input)), in place. Samples are in order. A layer that computes a matrix
  // product gives rows, (B·L, in) and (B·L, out); a convolution of pictures (B, in, H, W) and (B, out, H',
  // W').
  virtual void add_delta(torch::Tensor& output, const torch::Tensor& input,
                         const AdapterPass& pass) const = 0;
  // Appends its trained tensors.
  virtual void append_parameters(std::vector<torch::Tensor>& parameters) const = 0;
};

struct LayerShape {
  int64_t in, out;
  int64_t kernel = 1, stride = 1;  // of a convolution; it pads with kernel/2 zeros
  bool bias = true;
  bool convolution = false;  // checkpoints and LoRA files shape its weight (out, in, k, k), else (out, in)
};

// A layer with frozen weights and an adapter slot.
class AdaptedLayer {
 public:
  AdaptedLayer(std::string name, LayerShape shape) : name_(std::move(name)), shape_(shape) {}
  virtual ~AdaptedLayer() = default;

  const std::string& name() const { return name_; }  // as in Diffusers' named_modules()
  const LayerShape& shape() const { return shape_; }
  virtual void forget_layout() const {}                        // FrozenConv2d
  void attach(const Adapter* adapter) { adapter_ = adapter; }  // not owned; null detaches
  bool adapts(const AdapterPass& pass) const { return adapter_ && pass.on; }
  // What the adapter adds where it acts; input and output as Adapter::add_delta takes them.
  void add_delta(torch::Tensor& output, const torch::Tensor& input, const AdapterPass& pass) const {
    if (adapts(pass)) adapter_->add_delta(output, input, pass);
  }
  void append_parameters(std::vector<torch::Tensor>& parameters) const {  // the adapter's
    if (adapter_) adapter_->append_parameters(parameters);
  }

 private:
  std::string name_;
  LayerShape shape_;
  const Adapter* adapter_ = nullptr;
};

}  // namespace leco
