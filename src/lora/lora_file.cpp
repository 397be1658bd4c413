#include "lora/lora_file.h"

#include <fmt/format.h>

#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;
using Shape = std::vector<int64_t>;

Shape file_shape(const LoraModule& module, const Tensor& matrix) {
  Shape shape = matrix.sizes().vec();
  if (module.is_convolution()) shape.insert(shape.end(), {1, 1});
  return shape;
}

void check_rank(const StateDict& weights, const LoraModule& module) {
  const TensorInfo* down = weights.find(module.file_name() + ".lora_down.weight");
  if (down && !down->shape.empty() && down->shape[0] != module.site().rank)
    throw_usage(
        fmt::format("'{}' has rank {}, this run --network_dim={}; give --network_dim={} to go on from it",
                    weights.origin(), down->shape[0], module.site().rank, down->shape[0]));
}

double take_alpha(StateDict& weights, const LoraModule& module) {
  const std::string name = module.file_name() + ".alpha";
  if (!weights.contains(name)) return static_cast<double>(module.site().rank);  // by convention
  return weights.take(name, weights.find(name)->shape).to(torch::kFloat64).reshape({}).item<double>();
}

}  // namespace

NamedTensors lora_tensors(const LoraNetwork& network, torch::ScalarType dtype) {
  NamedTensors tensors;
  for (const auto& module : network.modules()) {
    const std::string name = module->file_name();
    const auto stored = [&](const Tensor& matrix) {
      return matrix.detach().reshape(file_shape(*module, matrix)).to(torch::kCPU, dtype).contiguous();
    };
    tensors.emplace_back(name + ".alpha", at::scalar_tensor(module->site().alpha, dtype));
    tensors.emplace_back(name + ".lora_down.weight", stored(module->down()));
    tensors.emplace_back(name + ".lora_up.weight", stored(module->up()));
  }
  return tensors;
}

void load_lora(LoraNetwork& network, StateDict weights) {
  const torch::NoGradGuard no_gradient;
  for (const auto& module : network.modules()) {
    check_rank(weights, *module);
    for (const auto& [leaf, matrix] :
         {std::pair{".lora_down.weight", module->down()}, {".lora_up.weight", module->up()}})
      matrix.copy_(weights.take_weight(module->file_name() + leaf, file_shape(*module, matrix))
                       .reshape(matrix.sizes()));
    const double alpha = take_alpha(weights, *module);
    if (std::abs(alpha - module->site().alpha) >
        1e-3 * std::abs(module->site().alpha))  // the file may be in fp16
      throw_usage(fmt::format(
          "'{}' has alpha {}, this run --network_alpha={}; give --network_alpha={} to go on from it",
          weights.origin(), alpha, module->site().alpha, alpha));
  }
  if (const auto left = weights.left(); !left.empty())
    throw_usage(fmt::format("'{}' holds {} tensors that this network has no module for, first '{}'",
                            weights.origin(), left.size(), left[0]));
}

}  // namespace leco
