#include "lora/lora_summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cmath>
#include <map>
#include <optional>

#include "core/error.h"
#include "io/weight_kind.h"
#include "lora/adapter_config.h"
#include "lora/lora_layouts.h"
#include "lora/open_lora.h"

namespace leco {
namespace {

using torch::Tensor;

struct Parts {
  const TensorInfo* down = nullptr;
  const TensorInfo* up = nullptr;
  const TensorInfo* alpha = nullptr;
};

struct Sorted {
  std::string_view layout;
  std::map<std::string, Parts> modules;
  std::vector<std::string> other_names;
};

Sorted sort_by_module(const std::vector<TensorInfo>& tensors) {
  using enum LoraTensorName::Part;
  Sorted sorted;
  std::vector<std::pair<const TensorInfo*, std::optional<LoraTensorName>>> rest;
  for (const TensorInfo& info : tensors) {
    const auto name = lora_tensor_name(info.name);
    if (!name || name->part == kAlpha) {
      rest.emplace_back(&info, name);
      continue;
    }
    Parts& parts = sorted.modules[name->module];
    (name->part == kDown ? parts.down : parts.up) = &info;
    sorted.layout = name->layout;
  }
  for (const auto& [info, name] : rest) {
    const auto module = name ? sorted.modules.find(name->module) : sorted.modules.end();
    if (module != sorted.modules.end())
      module->second.alpha = info;
    else  // an alpha alone is no module
      sorted.other_names.push_back(info->name);
  }
  return sorted;
}

// ‖up·down‖² = ⟨upᵀup, down·downᵀ⟩: two rank × rank matrices instead of one of the layer's size.
double product_norm(const Tensor& down, const Tensor& up) {
  const double square = (up.t().mm(up) * down.mm(down.t())).sum().item<double>();
  return square < 0 ? 0.0 : std::sqrt(square);  // rounding may leave less than nothing
}

void check_shapes(const Parts& parts, const std::string& name, const std::string& path) {
  const auto& down = parts.down->shape;
  const auto& up = parts.up->shape;
  const bool up_is_matrix = up.size() == 2 || (up.size() == 4 && up[2] == 1 && up[3] == 1);
  if (down.size() < 2 || !up_is_matrix || down[0] < 1 || up[1] != down[0])
    throw_usage(
        fmt::format("'{}': the module '{}' has weights of shapes [{}] and [{}], which are no product "
                    "of a (rank, in, …) and an (out, rank) matrix",
                    path, name, fmt::join(down, ", "), fmt::join(up, ", ")));
}

ModuleSummary summarise(const SafetensorsFile& file, const std::string& name, const Parts& parts,
                        const AdapterConfig& config) {
  const auto matrix = [&](const TensorInfo* info) {
    return file.tensor(*info).flatten(1).to(torch::kFloat64);
  };
  const Tensor down = matrix(parts.down), up = matrix(parts.up);
  ModuleSummary module{.name = name,
                       .rank = down.size(0),
                       .alpha = config.alpha(layer_of_module(name), down.size(0)),
                       .has_alpha = parts.alpha != nullptr || config.says_alpha(),
                       .dtype = parts.down->dtype,
                       .down_shape = parts.down->shape,
                       .up_shape = parts.up->shape,
                       .weights = down.numel() + up.numel(),
                       .down_norm = down.norm().item<double>(),
                       .up_norm = up.norm().item<double>()};
  if (parts.alpha) module.alpha = file.tensor(*parts.alpha).to(torch::kFloat64).reshape({}).item<double>();
  module.change_norm = std::abs(module.scale()) * product_norm(down, up);
  return module;
}

void check_complete(const Parts& parts, const std::string& name, const std::string& path) {
  if (!parts.down || !parts.up)
    throw_usage(fmt::format("'{}': the module '{}' has no {} weight; the file is damaged or cut", path, name,
                            parts.down ? "up" : "down"));
  if (parts.alpha && !parts.alpha->shape.empty() && parts.alpha->shape != std::vector<int64_t>{1})
    throw_usage(fmt::format("'{}': the alpha of '{}' has shape [{}], a single number is expected", path, name,
                            fmt::join(parts.alpha->shape, ", ")));
}

}  // namespace

LoraSummary summarise_lora(const SafetensorsFile& file, const std::string& path) {
  const Sorted sorted = sort_by_module(file.header().tensors);
  const std::string kind = recognise_weights(sorted.other_names);
  if (sorted.modules.empty()) {
    const size_t count = sorted.other_names.size();
    const std::string what = fmt::format("a file of {} tensor{}", count, count == 1 ? "" : "s");
    throw_usage(fmt::format("'{}' is {}, neither a LoRA nor a whole model; leco inspect shows these two",
                            path, kind.empty() ? what : kind));
  }
  if (!kind.empty())
    throw_usage(fmt::format("'{}' holds LoRA modules together with {}; leco inspect shows plain LoRA files",
                            path, kind));
  AdapterConfig config;
  if (const std::string& first = sorted.modules.begin()->first; first.find('.') != std::string::npos) {
    LocalFileSource files;
    config = find_adapter_config(files, path, is_of_peft(first)).value_or(AdapterConfig());
  }
  LoraSummary summary{.layout = std::string(sorted.layout), .modules = {}, .other_names = sorted.other_names};
  for (const auto& [name, parts] : sorted.modules) {
    check_complete(parts, name, path);
    check_shapes(parts, name, path);
    const bool of_unet = !name.starts_with("text_encoder");
    summary.modules.push_back(summarise(file, name, parts, of_unet ? config : AdapterConfig()));
  }
  return summary;
}

}  // namespace leco
