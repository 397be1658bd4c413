#include "model/recompute.h"

#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>

#include <algorithm>
#include <memory>

namespace leco {
namespace {

using torch::Tensor;
using torch::autograd::variable_list;

class RecomputeNode : public torch::autograd::Node {
 public:
  RecomputeNode(Block block, const Tensors& inputs, Tensors parameters)
      : block_(std::move(block)), parameters_(std::move(parameters)) {
    torch::autograd::edge_list edges;
    for (const Tensor& input : inputs) {
      inputs_.emplace_back(input, /*is_output=*/false);
      edges.push_back(torch::autograd::impl::gradient_edge(input));
    }
    for (const Tensor& parameter : parameters_)
      edges.push_back(torch::autograd::impl::gradient_edge(parameter));
    set_next_edges(std::move(edges));
  }

  variable_list apply(variable_list&& output_gradients) override {
    Tensors inputs, wanted;
    for (const auto& saved : inputs_) {
      const Tensor input = saved.unpack();
      inputs.push_back(input.detach().requires_grad_(input.requires_grad()));
      if (input.requires_grad()) wanted.push_back(inputs.back());
    }
    const size_t wanted_inputs = wanted.size();
    wanted.insert(wanted.end(), parameters_.begin(), parameters_.end());

    const torch::AutoGradMode with_gradients(true);
    const Tensor output = block_(inputs);
    const variable_list found =
        torch::autograd::grad({output}, wanted, {output_gradients[0]}, /*retain_graph=*/std::nullopt,
                              /*create_graph=*/false, /*allow_unused=*/true);
    variable_list gradients;  // in the order of the edges
    size_t next = 0;
    for (const Tensor& input : inputs) gradients.push_back(input.requires_grad() ? found[next++] : Tensor());
    gradients.insert(gradients.end(), found.begin() + static_cast<std::ptrdiff_t>(wanted_inputs),
                     found.end());
    return gradients;
  }

  void release_variables() override {
    inputs_.clear();
    block_ = nullptr;
  }

 private:
  Block block_;
  std::vector<torch::autograd::SavedVariable> inputs_;
  Tensors parameters_;
};

}  // namespace

Tensor recomputed(const Block& block, const Tensors& inputs, const Tensors& parameters) {
  const auto wants_gradient = [](const Tensor& tensor) { return tensor.requires_grad(); };
  if (!at::GradMode::is_enabled() ||
      (std::ranges::none_of(inputs, wants_gradient) && std::ranges::none_of(parameters, wants_gradient)))
    return block(inputs);
  const std::shared_ptr<RecomputeNode> node(new RecomputeNode(block, inputs, parameters),
                                            torch::autograd::deleteNode);
  Tensor output;
  {
    const torch::NoGradGuard no_gradient;
    output = block(inputs);
  }
  torch::autograd::set_history(output, node);
  return output;
}

}  // namespace leco
