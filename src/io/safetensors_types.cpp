#include "io/safetensors_types.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/error.h"

namespace leco {
namespace {

struct NamedType {
  std::string_view name;
  torch::ScalarType type;
};

// Order of the reference implementation. Its F4, F6_E2M3 and F6_E3M2 pack several elements in a byte: torch
// cannot.
constexpr std::array<NamedType, 19> kTypes = {{
    {"BOOL", torch::kBool},
    {"U8", torch::kUInt8},
    {"I8", torch::kInt8},
    {"F8_E5M2", torch::kFloat8_e5m2},
    {"F8_E4M3", torch::kFloat8_e4m3fn},
    {"F8_E8M0", torch::kFloat8_e8m0fnu},
    {"F8_E4M3FNUZ", torch::kFloat8_e4m3fnuz},
    {"F8_E5M2FNUZ", torch::kFloat8_e5m2fnuz},
    {"I16", torch::kInt16},
    {"U16", torch::kUInt16},
    {"F16", torch::kFloat16},
    {"BF16", torch::kBFloat16},
    {"I32", torch::kInt32},
    {"U32", torch::kUInt32},
    {"F32", torch::kFloat32},
    {"C64", torch::kComplexFloat},
    {"F64", torch::kFloat64},
    {"I64", torch::kInt64},
    {"U64", torch::kUInt64},
}};

}  // namespace

std::optional<torch::ScalarType> scalar_type_of(std::string_view name) {
  const auto found = std::ranges::find(kTypes, name, &NamedType::name);
  if (found == kTypes.end()) return std::nullopt;
  return found->type;
}

int safetensors_type_rank(torch::ScalarType type) {
  const auto found = std::ranges::find(kTypes, type, &NamedType::type);
  if (found == kTypes.end()) {
    throw Error(fmt::format("internal: a safetensors file cannot hold the type {}", c10::toString(type)));
  }
  return static_cast<int>(found - kTypes.begin());
}

std::string_view safetensors_type_name(torch::ScalarType type) {
  return kTypes[static_cast<size_t>(safetensors_type_rank(type))].name;
}

std::string safetensors_type_names() {
  std::string names;
  for (const NamedType& known : kTypes) names += (names.empty() ? "" : ", ") + std::string(known.name);
  return names;
}

}  // namespace leco
