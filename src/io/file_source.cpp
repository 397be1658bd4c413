#include "io/file_source.h"

#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/read_file.h"
#include "io/safetensors.h"

namespace leco {

bool LocalFileSource::exists(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (status.type() == std::filesystem::file_type::none) {
    throw_usage(fmt::format("cannot look at '{}': {}", path, failure.message()));
  }
  return std::filesystem::exists(status);
}

std::string LocalFileSource::read(const std::string& path) {
  return read_local_file(path);
}

StateDict LocalFileSource::open_safetensors(const std::string& path) {
  const auto file = std::make_shared<const SafetensorsFile>(path);
  return StateDict(path, file->header().tensors,
                   [file](const TensorInfo& info) { return file->tensor(info); });
}

StateDict LocalFileSource::open_outline(const std::string& path) {
  return outline_of(path, SafetensorsFile(path).header().tensors);
}

StateDict outline_of(const std::string& origin, std::vector<TensorInfo> tensors) {
  return {origin, std::move(tensors), [](const TensorInfo& info) {
            return at::empty(info.shape, at::TensorOptions(info.dtype).device(torch::kMeta));
          }};
}

}  // namespace leco
