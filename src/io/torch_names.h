// The names that a checkpoint may mention ("module.name").
#pragma once

#include <torch/types.h>

#include <optional>
#include <string_view>

namespace leco {

inline constexpr std::string_view kOrderedDict = "collections.OrderedDict";
inline constexpr std::string_view kRebuildTensor = "torch._utils._rebuild_tensor_v2";
inline constexpr std::string_view kRebuildTypedTensor = "torch._utils._rebuild_tensor_v3";
inline constexpr std::string_view kRebuildParameter = "torch._utils._rebuild_parameter";
inline constexpr std::string_view kRebuildParameterWithState = "torch._utils._rebuild_parameter_with_state";
inline constexpr std::string_view kRebuildFromType = "torch._tensor._rebuild_from_type_v2";
inline constexpr std::string_view kUntypedStorage = "torch.storage.UntypedStorage";

bool is_known_checkpoint_name(std::string_view name);

// "torch.HalfStorage" → Half. Empty for what is no storage with a type.
std::optional<torch::ScalarType> storage_type_of(std::string_view name);

// "torch.float16" → Half. Empty for what is no type.
std::optional<torch::ScalarType> type_of_dtype(std::string_view name);

}  // namespace leco
