#include "io/torch_names.h"

#include <algorithm>
#include <array>
#include <span>

namespace leco {
namespace {

struct NamedType {
  std::string_view name;
  torch::ScalarType type;
};

constexpr std::array kStorages = {
    NamedType{"torch.DoubleStorage", torch::kDouble},
    NamedType{"torch.FloatStorage", torch::kFloat},
    NamedType{"torch.HalfStorage", torch::kHalf},
    NamedType{"torch.BFloat16Storage", torch::kBFloat16},
    NamedType{"torch.LongStorage", torch::kLong},
    NamedType{"torch.IntStorage", torch::kInt},
    NamedType{"torch.ShortStorage", torch::kShort},
    NamedType{"torch.CharStorage", torch::kChar},
    NamedType{"torch.ByteStorage", torch::kByte},
    NamedType{"torch.BoolStorage", torch::kBool},
    NamedType{"torch.ComplexFloatStorage", torch::kComplexFloat},
    NamedType{"torch.ComplexDoubleStorage", torch::kComplexDouble},
};

constexpr std::array kTypes = {
    NamedType{"torch.float64", torch::kDouble},
    NamedType{"torch.float32", torch::kFloat},
    NamedType{"torch.float16", torch::kHalf},
    NamedType{"torch.bfloat16", torch::kBFloat16},
    NamedType{"torch.int64", torch::kLong},
    NamedType{"torch.int32", torch::kInt},
    NamedType{"torch.int16", torch::kShort},
    NamedType{"torch.int8", torch::kChar},
    NamedType{"torch.uint8", torch::kByte},
    NamedType{"torch.uint16", torch::kUInt16},
    NamedType{"torch.uint32", torch::kUInt32},
    NamedType{"torch.uint64", torch::kUInt64},
    NamedType{"torch.bool", torch::kBool},
    NamedType{"torch.complex64", torch::kComplexFloat},
    NamedType{"torch.complex128", torch::kComplexDouble},
    NamedType{"torch.float8_e4m3fn", torch::kFloat8_e4m3fn},
    NamedType{"torch.float8_e5m2", torch::kFloat8_e5m2},
    NamedType{"torch.float8_e4m3fnuz", torch::kFloat8_e4m3fnuz},
    NamedType{"torch.float8_e5m2fnuz", torch::kFloat8_e5m2fnuz},
};

// Read, or part of what is read.
constexpr std::array kRead = {
    kOrderedDict,
    kRebuildTensor,
    kRebuildTypedTensor,
    kRebuildParameter,
    kRebuildParameterWithState,
    kRebuildFromType,
    kUntypedStorage,
    std::string_view("torch.Size"),
    std::string_view("torch.device"),
    std::string_view("torch.Tensor"),
    std::string_view("torch.nn.parameter.Parameter"),
};

// Plain things that training programs leave beside the weights; they mean nothing here. Python 2's name of
// `builtins` is what protocol 2 uses.
constexpr std::array<std::string_view, 29> kInert = {
    "__builtin__.bytearray",
    "__builtin__.complex",
    "__builtin__.dict",
    "__builtin__.float",
    "__builtin__.frozenset",
    "__builtin__.int",
    "__builtin__.list",
    "__builtin__.long",
    "__builtin__.set",
    "__builtin__.str",
    "__builtin__.tuple",
    "_codecs.encode",
    "argparse.Namespace",
    "builtins.bytearray",
    "builtins.complex",
    "builtins.dict",
    "builtins.float",
    "builtins.frozenset",
    "builtins.int",
    "builtins.list",
    "builtins.set",
    "builtins.str",
    "builtins.tuple",
    "collections.Counter",
    "collections.defaultdict",
    "numpy.dtype",
    "numpy.ndarray",
    "pathlib.PosixPath",
    "typing.Any",
};

// Programs whose classes lie in checkpoints of Stable Diffusion: every name of theirs is inert.
constexpr std::array<std::string_view, 9> kInertModules = {
    "pytorch_lightning.",
    "lightning.",
    "lightning_fabric.",
    "lightning_utilities.",
    "omegaconf.",
    "ldm.",
    "sgm.",
    "numpy.core.multiarray.",
    "numpy._core.multiarray.",
};

std::optional<torch::ScalarType> find_type(std::span<const NamedType> types, std::string_view name) {
  const auto found = std::ranges::find(types, name, &NamedType::name);
  if (found == types.end()) return std::nullopt;
  return found->type;
}

}  // namespace

bool is_known_checkpoint_name(std::string_view name) {
  const auto is_name = [&](std::string_view known) { return name == known; };
  const auto is_inside = [&](std::string_view module) { return name.starts_with(module); };
  return std::ranges::any_of(kRead, is_name) || storage_type_of(name) || type_of_dtype(name) ||
         std::ranges::any_of(kInert, is_name) || std::ranges::any_of(kInertModules, is_inside);
}

std::optional<torch::ScalarType> storage_type_of(std::string_view name) {
  return find_type(kStorages, name);
}

std::optional<torch::ScalarType> type_of_dtype(std::string_view name) {
  return find_type(kTypes, name);
}

}  // namespace leco
