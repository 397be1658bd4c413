#include "lora/lora_stack.h"

#include <fmt/format.h>

#include "core/error.h"
#include "io/weight_kind.h"
#include "lora/module_names.h"
#include "lora/stored_alpha.h"
#include "model/to_device.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr std::string_view kDown = ".lora_down.weight", kUp = ".lora_up.weight";

std::string with(const std::string& module, std::string_view leaf) {
  return module + std::string(leaf);
}

std::vector<std::string> modules_of(const StateDict& weights) {
  std::vector<std::string> modules;
  for (const std::string& name : weights.left())
    if (name.ends_with(kDown)) modules.push_back(name.substr(0, name.size() - kDown.size()));
  return modules;
}

// Sizes that make a LoRA one for another model, in one line: a missing tensor would say less.
void check_features(const StateDict& weights, const std::string& module, const AdaptedLayer& layer,
                    Family family) {
  const auto features = [&](std::string_view leaf, size_t dimension) {
    const TensorInfo* info = weights.find(with(module, leaf));
    return info && info->shape.size() > dimension ? info->shape[dimension] : 0;
  };
  const int64_t in = features(kDown, 1), out = features(kUp, 0);
  if (in == layer.shape().in && (out == 0 || out == layer.shape().out)) return;
  throw_usage(fmt::format(
      "'{}' is a LoRA for another model: at '{}' it has {} → {} features, this {} model {} → {}",
      weights.origin(), module, in, out, family_name(family), layer.shape().in, layer.shape().out));
}

// `stored` as in the file; given as LoraModule takes it: a 1×1 kernel as a matrix.
Tensor take_float(StateDict& weights, const std::string& name, const std::vector<int64_t>& stored) {
  const Tensor weight = weights.take_weight(name, stored).to(torch::kFloat32);
  return stored.size() == 4 && stored[2] == 1 ? weight.flatten(1) : weight;
}

[[noreturn]] void throw_no_lora(const StateDict& weights, const std::vector<std::string>& names) {
  const std::string kind = recognise_weights(names);
  throw_usage(fmt::format("'{}' holds no LoRA in sd-scripts' layout (lora_unet_….lora_down.weight); it is {}",
                          weights.origin(),
                          kind.empty() ? fmt::format("a file of {} tensors", names.size()) : kind));
}

}  // namespace

class LoraStack::Sum final : public Adapter {
 public:
  void add(LoraModule::Site site, Tensor down, Tensor up) {
    modules_.push_back(std::make_unique<LoraModule>(std::move(site), std::move(down), std::move(up)));
  }
  void add_delta(Tensor& output, const Tensor& input, const AdapterPass& pass) const override {
    for (const auto& module : modules_) module->add_delta(output, input, pass);
  }
  void append_parameters(std::vector<Tensor>& parameters) const override {
    for (const auto& module : modules_) module->append_parameters(parameters);
  }
  int64_t modules() const { return std::ssize(modules_); }

 private:
  std::vector<std::unique_ptr<LoraModule>> modules_;
};

LoraStack::LoraStack(UNet& unet) : unet_(unet) {}

LoraStack::~LoraStack() {
  for (const auto& [layer, sum] : sums_) layer->attach(nullptr);
}

void LoraStack::add(StateDict weights, double strength) {
  const Family family = family_of(unet_.config());
  const std::vector<std::string> names = weights.left(), modules = modules_of(weights);
  if (modules.empty()) throw_no_lora(weights, names);
  int64_t index = 0;
  for (AdaptedLayer* layer : unet_.layers()) {
    const auto module = stored_name(weights, layer->name(), lora_file_name(layer->name(), unet_.config()));
    if (!module) continue;
    check_features(weights, *module, *layer, family);
    const int64_t rank = weights.find(with(*module, kDown))->shape[0];
    const LayerShape& shape = layer->shape();
    const auto take = [&](std::string_view leaf, std::vector<int64_t> stored, int64_t kernel) {
      if (shape.convolution) stored.insert(stored.end(), 2, kernel);
      return to_device(take_float(weights, with(*module, leaf), stored), unet_.placement().device);
    };
    Tensor down = take(kDown, {rank, shape.in}, shape.kernel), up = take(kUp, {shape.out, rank}, 1);
    std::unique_ptr<Sum>& sum = sums_[layer];
    if (!sum) sum = std::make_unique<Sum>();
    sum->add({.index = index++,
              .layer = layer,
              .file_name = *module,
              .rank = rank,
              .alpha = strength * take_alpha(weights, *module, rank)},
             std::move(down), std::move(up));
    layer->attach(sum.get());
  }
  if (index == 0)
    throw_usage(
        fmt::format("'{}' is a LoRA for another model: this {} model has none of its {} modules, first '{}'",
                    weights.origin(), family_name(family), modules.size(), modules[0]));
  if (const auto left = weights.left(); !left.empty())
    throw_usage(fmt::format("'{}' holds {} tensors that this {} U-Net has no layer for, first '{}'",
                            weights.origin(), left.size(), family_name(family), left[0]));
}

int64_t LoraStack::modules() const {
  int64_t count = 0;
  for (const auto& [layer, sum] : sums_) count += sum->modules();
  return count;
}

}  // namespace leco
