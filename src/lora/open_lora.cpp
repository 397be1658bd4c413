#include "lora/open_lora.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <memory>

#include "core/error.h"
#include "lora/adapter_config.h"
#include "lora/lora_layouts.h"

namespace leco {
namespace {

constexpr std::string_view kPeft = "base_model.model.", kUNet = "unet.", kProcessor = ".processor.";

using Part = LoraTensorName::Part;

const char* ending_of(Part part) {
  return part == Part::kDown ? ".lora_down.weight" : part == Part::kUp ? ".lora_up.weight" : ".alpha";
}

// The names of a file that is read under others, and the alphas that are not among its tensors.
class Renamed {
 public:
  explicit Renamed(const std::string& origin) : origin_(origin) {}

  void add(TensorInfo info, std::string name) {
    if (!stored_.emplace(name, std::move(info.name)).second)
      throw_usage(fmt::format("'{}' has the module of '{}' twice, under two names", origin_, name));
    info.name = std::move(name);
    infos_.push_back(std::move(info));
  }
  void add_alpha(const std::string& name, double alpha) {
    if (stored_.contains(name)) return;
    alphas_[name] = alpha;
    infos_.push_back({.name = name, .dtype = torch::kFloat64, .shape = {}});
  }
  StateDict read_from(StateDict file) && {
    const auto source = std::make_shared<StateDict>(std::move(file));
    return {origin_, std::move(infos_),
            [source, stored = std::move(stored_), alphas = std::move(alphas_)](const TensorInfo& info) {
              const auto alpha = alphas.find(info.name);
              if (alpha != alphas.end()) return at::scalar_tensor(alpha->second, torch::kFloat64);
              return source->take(stored.at(info.name), info.shape);
            }};
  }

 private:
  std::string origin_;
  std::vector<TensorInfo> infos_;
  std::map<std::string, std::string> stored_;  // name in the file
  std::map<std::string, double> alphas_;
};

}  // namespace

bool is_of_peft(const std::string& module) {
  return module.starts_with(kPeft);
}

std::string layer_of_module(std::string module) {
  for (const std::string_view prefix : {kPeft, kUNet})
    if (module.starts_with(prefix)) module.erase(0, prefix.size());
  const size_t processor = module.find(kProcessor);
  if (processor == std::string::npos) return module;
  module.erase(processor, kProcessor.size() - 1);
  return module.ends_with(".to_out") ? module + ".0" : module;
}

StateDict open_lora(FileSource& files, const std::string& path) {
  StateDict file = files.open_weights(path);
  bool dotted = false, by_peft = false;
  for (const std::string& tensor : file.left())
    if (const auto name = lora_tensor_name(tensor); name && name->dotted && name->part != Part::kAlpha) {
      dotted = true;
      by_peft |= is_of_peft(name->module);
    }
  if (!dotted) return file;
  const auto config = find_adapter_config(files, path, by_peft);
  if (!config)
    throw_usage(
        fmt::format("'{}' is a LoRA as PEFT saves it, whose alpha stands in adapter_config.json, and there "
                    "is none beside "
                    "it; put it there, or save the LoRA with Diffusers' save_lora_weights",
                    path));
  Renamed renamed(path);
  std::map<std::string, std::pair<std::string, int64_t>> modules;  // our name → layer, rank
  for (const std::string& tensor : file.left()) {
    const TensorInfo& info = *file.find(tensor);
    const auto name = lora_tensor_name(tensor);
    if (!name || !name->dotted || name->module.starts_with("text_encoder")) {
      renamed.add(info, tensor);
      continue;
    }
    const std::string layer = layer_of_module(name->module);
    std::string module = "lora_unet_" + layer;
    std::ranges::replace(module, '.', '_');
    renamed.add(info, module + ending_of(name->part));
    if (name->part == Part::kDown && !info.shape.empty()) modules[module] = {layer, info.shape[0]};
  }
  for (const auto& [module, of] : modules)
    renamed.add_alpha(module + ending_of(Part::kAlpha), config->alpha(of.first, of.second));
  return std::move(renamed).read_from(std::move(file));
}

}  // namespace leco
