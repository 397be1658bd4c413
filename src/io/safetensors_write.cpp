#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <unordered_set>

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "io/safetensors_types.h"

namespace leco {
namespace {

constexpr size_t kMaxHeaderBytes = 100'000'000;  // readers refuse more

// As a JSON string, in UTF-8.
std::string quoted(const std::string& text) {
  return nlohmann::json(text).dump();
}

std::string quoted_name(const std::string& name) {
  if (name == "__metadata__") throw Error("internal: no tensor may be called __metadata__");
  try {
    return quoted(name);
  } catch (const nlohmann::json::exception&) {
    throw Error(fmt::format("internal: the name of a tensor is not UTF-8: '{}'", name));
  }
}

std::string metadata_entry(const std::string& key, const std::string& value) {
  try {
    return fmt::format("{}:{}", quoted(key), quoted(value));
  } catch (const nlohmann::json::exception&) {
    throw_usage(fmt::format("the metadata '{}' is not UTF-8 text", key));
  }
}

NamedTensors in_file_order(NamedTensors tensors) {
  for (const auto& [name, tensor] : tensors) {
    if (!tensor.defined() || tensor.layout() != at::kStrided) {
      throw Error(fmt::format("internal: tensor '{}' has no plain contents to write", name));
    }
  }
  std::ranges::sort(tensors, [](const auto& a, const auto& b) {
    const int rank_a = safetensors_type_rank(a.second.scalar_type());
    const int rank_b = safetensors_type_rank(b.second.scalar_type());
    return rank_a != rank_b ? rank_a > rank_b : a.first < b.first;
  });
  return tensors;
}

// Length bytes and JSON of a file that holds `tensors` in this order. Written by hand, because the order of
// the keys is part of the layout.
std::string header_bytes(const NamedTensors& tensors, const Metadata& metadata) {
  std::string json = "{";
  for (const auto& [key, value] : metadata) {
    json += (json.size() == 1 ? "\"__metadata__\":{" : ",") + metadata_entry(key, value);
  }
  if (!metadata.empty()) json += "}";
  uint64_t offset = 0;
  for (const auto& [name, tensor] : tensors) {
    const uint64_t end = offset + static_cast<uint64_t>(tensor.numel()) * tensor.element_size();
    if (json.size() > 1) json += ",";
    json +=
        fmt::format(R"({}:{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", quoted_name(name),
                    safetensors_type_name(tensor.scalar_type()), fmt::join(tensor.sizes(), ","), offset, end);
    offset = end;
  }
  json += "}";
  json.resize((json.size() + 7) / 8 * 8, ' ');
  if (json.size() > kMaxHeaderBytes) {
    throw Error(fmt::format("names and metadata take {} bytes, a safetensors file may have {}", json.size(),
                            kMaxHeaderBytes));
  }
  std::string bytes;
  for (int shift = 0; shift < 64; shift += 8)
    bytes += static_cast<char>(uint64_t{json.size()} >> shift & 0xff);
  return bytes + json;
}

// Calls `write` with piece after piece of the file.
template <typename Write>
void serialise(const NamedTensors& given, const Metadata& metadata, const Write& write) {
  static_assert(std::endian::native == std::endian::little, "the format is little-endian");
  std::unordered_set<std::string_view> names;
  for (const auto& [name, tensor] : given) {
    if (!names.insert(name).second) throw Error(fmt::format("internal: two tensors are called '{}'", name));
  }
  const NamedTensors tensors = in_file_order(given);
  write(std::string_view(header_bytes(tensors, metadata)));
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor plain = tensor.detach().cpu().resolve_conj().resolve_neg().contiguous();
    write(std::string_view(static_cast<const char*>(plain.const_data_ptr()), plain.nbytes()));
  }
}

}  // namespace

std::string safetensors_bytes(const NamedTensors& tensors, const Metadata& metadata) {
  std::string bytes;
  serialise(tensors, metadata, [&](std::string_view piece) { bytes += piece; });
  return bytes;
}

void write_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata) {
  AtomicFile file(path);
  serialise(tensors, metadata, [&](std::string_view piece) { file.write(piece); });
  file.commit();
}

void replace_metadata(const std::string& path, const Metadata& metadata) {
  const SafetensorsFile old(path);
  NamedTensors tensors;  // in the order of the data, which they fill without a gap
  for (const TensorInfo& info : old.header().tensors) tensors.emplace_back(info.name, old.tensor(info));
  AtomicFile file(std::filesystem::canonical(path).string());
  file.write(header_bytes(tensors, metadata));
  file.write(old.data());
  file.commit();
}

}  // namespace leco
