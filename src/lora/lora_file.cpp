#include "lora/lora_file.h"

#include <fmt/format.h>

#include <map>
#include <utility>

#include "core/error.h"
#include "lora/module_names.h"
#include "lora/stored_alpha.h"

namespace leco {
namespace {

using torch::Tensor;
using Shape = std::vector<int64_t>;

constexpr const char* kTakeFromFile = "--dim_from_weights takes modules, ranks and alphas from the file";

Shape file_shape(const LoraModule& module, const Tensor& weight) {
  Shape shape = weight.sizes().vec();
  if (module.is_convolution() && shape.size() == 2) shape.insert(shape.end(), {1, 1});
  return shape;
}

// The setting that gave the module its rank, or with "alpha" its alpha.
std::string setting_of(const LoraModule& module, std::string_view kind) {
  const bool wide = module.site().layer->shape().kernel > 1;
  return wide ? fmt::format("conv_{} in --network_args", kind) : fmt::format("--network_{}", kind);
}

void check_rank(const StateDict& weights, const LoraModule& module) {
  const TensorInfo* down = weights.find(module.file_name() + ".lora_down.weight");
  if (!down)
    throw_usage(fmt::format("'{}' has no tensor '{}.lora_down.weight', which this run trains; {}",
                            weights.origin(), module.file_name(), kTakeFromFile));
  if (!down->shape.empty() && down->shape[0] != module.site().rank)
    throw_usage(fmt::format("'{}' has rank {} at '{}', this run {}={}; {}", weights.origin(), down->shape[0],
                            module.file_name(), setting_of(module, "dim"), module.site().rank,
                            kTakeFromFile));
}

void check_alpha(const StateDict& weights, const LoraModule& module, double alpha) {
  const double ours = module.site().alpha;
  if (std::abs(alpha - ours) > 1e-3 * std::abs(ours))  // the file may be in fp16
    throw_usage(fmt::format("'{}' has alpha {} at '{}', this run {}={}; {}", weights.origin(), alpha,
                            module.file_name(), setting_of(module, "alpha"), ours, kTakeFromFile));
}

// Asks for the modules by the names that they have in the file.
void spell_as_stored(StateDict& weights, const LoraNetwork& network) {
  std::map<std::string, std::string> stored;  // by our name
  for (const auto& module : network.modules()) {
    const std::string &layer = module->site().layer->name(), &usual = module->file_name();
    if (const auto name = stored_name(weights, layer, usual)) stored[usual] = *name;
  }
  weights.spell([stored = std::move(stored)](const std::string& name) {
    const size_t end = name.find('.');
    const auto found = stored.find(name.substr(0, end));
    return StoredAs{found == stored.end() ? name : found->second + name.substr(end)};
  });
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
  spell_as_stored(weights, network);
  for (const auto& module : network.modules()) {
    check_rank(weights, *module);
    for (const auto& [leaf, matrix] :
         {std::pair{".lora_down.weight", module->down()}, {".lora_up.weight", module->up()}})
      matrix.copy_(weights.take_weight(module->file_name() + leaf, file_shape(*module, matrix))
                       .reshape(matrix.sizes()));
    check_alpha(weights, *module, take_alpha(weights, module->file_name(), module->site().rank));
  }
  if (const auto left = weights.left(); !left.empty())
    throw_usage(fmt::format("'{}' holds {} tensors that this network has no module for, first '{}'; {}",
                            weights.origin(), left.size(), left[0], kTakeFromFile));
}

}  // namespace leco
