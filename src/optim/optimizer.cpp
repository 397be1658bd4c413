#include "optim/optimizer.h"

#include "core/error.h"

namespace leco {

using torch::Tensor;

int64_t OptimizerTarget::count() const {
  return segments.empty() ? 0 : segments.back().offset + segments.back().count();
}

std::vector<Run> runs_of(const std::vector<WeightSegment>& segments) {
  std::vector<Run> runs;
  for (const WeightSegment& segment : segments) {
    if (segment.rate_factor == 0) continue;
    const bool joins = !runs.empty() && runs.back().offset + runs.back().count == segment.offset &&
                       runs.back().rate_factor == segment.rate_factor;
    if (joins)
      runs.back().count += segment.count();
    else
      runs.push_back({segment.offset, segment.count(), segment.rate_factor});
  }
  return runs;
}

void Optimizer::step(Tensor& weights, Tensor& gradient, double learning_rate) {
  const torch::NoGradGuard no_gradient;
  if (maximize_) gradient.neg_();
  update(weights, gradient, learning_rate);
}

OptimizerState Optimizer::state() const {
  OptimizerState state;
  for (const auto& [name, tensor] : tensors_) state.tensors.emplace(name, tensor->clone());
  for (const auto& [name, number] : numbers_) state.numbers.emplace(name, *number);
  return state;
}

void Optimizer::load(const OptimizerState& state) {
  if (state.tensors.size() != tensors_.size() || state.numbers.size() != numbers_.size())
    throw Error("the optimizer's state is that of another optimizer");
  for (const auto& [name, tensor] : tensors_) {
    const auto found = state.tensors.find(name);
    if (found == state.tensors.end() || found->second.sizes() != tensor->sizes() ||
        found->second.scalar_type() != tensor->scalar_type())
      throw Error("the optimizer's state has no '" + name + "' of the needed shape and type");
  }
  for (const auto& [name, number] : numbers_)
    if (!state.numbers.contains(name)) throw Error("the optimizer's state has no number '" + name + "'");
  const torch::NoGradGuard no_gradient;
  for (const auto& [name, tensor] : tensors_) tensor->copy_(state.tensors.at(name));
  for (const auto& [name, number] : numbers_) *number = state.numbers.at(name);
}

int64_t Optimizer::state_bytes() const {
  int64_t bytes = 0;
  for (const auto& [name, tensor] : tensors_) bytes += static_cast<int64_t>(tensor->nbytes());
  return bytes;
}

}  // namespace leco
