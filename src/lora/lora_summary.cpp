#include "lora/lora_summary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>
#include <cmath>
#include <map>

#include "core/error.h"
#include "io/weight_kind.h"

namespace leco {
namespace {

using torch::Tensor;

struct Naming {
  std::string_view down, up, layout;  // endings of the two weights
};
constexpr std::array<Naming, 5> kNamings = {{
    {".lora_down.weight", ".lora_up.weight", "sd-scripts' layout"},
    {".lora_A.weight", ".lora_B.weight", "PEFT's layout (dotted names, lora_A and lora_B)"},
    {".lora_A.default.weight", ".lora_B.default.weight", "PEFT's layout (dotted names, lora_A and lora_B)"},
    {".lora.down.weight", ".lora.up.weight", "Diffusers' own layout (dotted names)"},
    {"_lora.down.weight", "_lora.up.weight", "Diffusers' old layout of attention processors"},
}};
constexpr std::string_view kAlpha = ".alpha";

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

// The part of a module that a tensor is, and which naming says so; null where it is neither weight.
const TensorInfo** weight_slot(Sorted& sorted, const std::string& name) {
  for (const Naming& naming : kNamings) {
    for (const auto& [ending, part] :
         {std::pair{naming.down, &Parts::down}, std::pair{naming.up, &Parts::up}}) {
      if (!name.ends_with(ending)) continue;
      sorted.layout = naming.layout;
      return &(sorted.modules[name.substr(0, name.size() - ending.size())].*part);
    }
  }
  return nullptr;
}

Sorted sort_by_module(const std::vector<TensorInfo>& tensors) {
  Sorted sorted;
  std::vector<const TensorInfo*> rest;
  for (const TensorInfo& info : tensors) {
    if (const TensorInfo** slot = weight_slot(sorted, info.name))
      *slot = &info;
    else
      rest.push_back(&info);
  }
  for (const TensorInfo* info : rest) {  // an alpha alone is no module
    const bool is_alpha = info->name.ends_with(kAlpha);
    const auto module =
        sorted.modules.find(info->name.substr(0, info->name.size() - kAlpha.size() * is_alpha));
    if (is_alpha && module != sorted.modules.end())
      module->second.alpha = info;
    else
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

ModuleSummary summarise(const SafetensorsFile& file, const std::string& name, const Parts& parts) {
  const auto matrix = [&](const TensorInfo* info) {
    return file.tensor(*info).flatten(1).to(torch::kFloat64);
  };
  const Tensor down = matrix(parts.down), up = matrix(parts.up);
  ModuleSummary module{.name = name,
                       .rank = down.size(0),
                       .alpha = static_cast<double>(down.size(0)),
                       .has_alpha = parts.alpha != nullptr,
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
  LoraSummary summary{.layout = std::string(sorted.layout), .modules = {}, .other_names = sorted.other_names};
  for (const auto& [name, parts] : sorted.modules) {
    check_complete(parts, name, path);
    check_shapes(parts, name, path);
    summary.modules.push_back(summarise(file, name, parts));
  }
  return summary;
}

}  // namespace leco
