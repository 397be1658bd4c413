// What all optimizers are to the trainer: updates of the LoRA's one flat buffer, state that can be kept, and
// the weights that are worth keeping.
#pragma once

#include <torch/types.h>

#include <map>
#include <string>
#include <utility>
#include <vector>

#include "config/optimizer_settings.h"

namespace leco {

// What is updated.
struct OptimizerTarget {
  torch::TensorOptions options;         // of the weights: float32, on some device
  std::vector<WeightSegment> segments;  // in order, without gaps, all of the buffer
  double base_rate = 0;                 // before schedule and factors

  int64_t count() const;
};

// Neighbouring segments with one rate factor. What is done to every number alike is done run by run: one pass
// over memory where no factor is set.
struct Run {
  int64_t offset = 0;
  int64_t count = 0;
  double rate_factor = 1;

  torch::Tensor of(const torch::Tensor& flat) const { return flat.narrow(0, offset, count); }
};
// Without segments of factor 0.
std::vector<Run> runs_of(const std::vector<WeightSegment>& segments);

// All that an optimizer remembers. Numbers are exact as doubles; counts are below 2⁵³.
struct OptimizerState {
  std::map<std::string, torch::Tensor> tensors;
  std::map<std::string, double> numbers;
};

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update in place: weights and gradient (n) float32. `learning_rate`: of this step, before factors. The
  // gradient may be changed. Every rank does the same to the same numbers.
  void step(torch::Tensor& weights, torch::Tensor& gradient, double learning_rate);

  // The rate that the last step used, before factors: the given one, unless the optimizer finds its own.
  virtual double rate_of_step(double learning_rate) const { return learning_rate; }

  // (n): the weights that a file or a picture takes. Schedule-free training moves one point and keeps the
  // average of others; elsewhere it is `weights` itself.
  virtual torch::Tensor weights_to_keep(const torch::Tensor& weights) const { return weights; }

  // Copies, on the weights' device. 10 steps are the same bits as 5, state(), load() and 5 more.
  OptimizerState state() const;
  // Throws, and changes nothing, where a name or a shape is not this optimizer's.
  void load(const OptimizerState& state);

  int64_t state_bytes() const;  // of the tensors

 protected:
  explicit Optimizer(bool maximize = false) : maximize_(maximize) {}
  virtual void update(torch::Tensor& weights, torch::Tensor& gradient, double learning_rate) = 0;

  // Declares a member to be state; it keeps its storage from then on.
  void keep(const std::string& name, torch::Tensor& tensor) { tensors_.emplace_back(name, &tensor); }
  void keep(const std::string& name, double& number) { numbers_.emplace_back(name, &number); }

 private:
  bool maximize_;
  std::vector<std::pair<std::string, torch::Tensor*>> tensors_;
  std::vector<std::pair<std::string, double*>> numbers_;
};

}  // namespace leco
