// The element types of safetensors files, as far as torch has them.
#pragma once

#include <torch/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace leco {

std::optional<torch::ScalarType> scalar_type_of(std::string_view name);  // empty for a type that torch lacks

// Throws for a type that the format lacks.
std::string_view safetensors_type_name(torch::ScalarType type);

// Place in the reference implementation's list, which grows in alignment and orders the tensors of a file.
int safetensors_type_rank(torch::ScalarType type);

// "BOOL, U8, …", for messages.
std::string safetensors_type_names();

}  // namespace leco
