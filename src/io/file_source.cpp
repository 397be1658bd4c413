#include "io/file_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>
#include <memory>

#include "core/error.h"
#include "core/log.h"
#include "core/read_file.h"
#include "io/safetensors.h"
#include "io/torch_checkpoint.h"

namespace leco {
namespace {

WeightFormat format_of(const std::string& path) {
  return weight_format(MappedFile(path, "a safetensors file or a checkpoint").bytes());
}

std::shared_ptr<const TorchCheckpoint> open_checkpoint(const std::string& path) {
  auto file = std::make_shared<const TorchCheckpoint>(path);
  if (!file->ignored().empty()) {
    log::debug(fmt::format("'{}' also holds what is no weight and is not read: {}", path,
                           fmt::join(file->ignored(), ", ")));
  }
  return file;
}

}  // namespace

bool LocalFileSource::exists(const std::string& path) {
  std::error_code failure;
  const auto status = std::filesystem::status(path, failure);
  if (status.type() == std::filesystem::file_type::none) {
    throw_usage(fmt::format("cannot look at '{}': {}", path, failure.message()));
  }
  return std::filesystem::exists(status);
}

bool LocalFileSource::is_folder(const std::string& path) {
  std::error_code ignored;
  return std::filesystem::is_directory(path, ignored);
}

std::string LocalFileSource::read(const std::string& path) {
  return read_local_file(path);
}

StateDict LocalFileSource::open_safetensors(const std::string& path) {
  const auto file = std::make_shared<const SafetensorsFile>(path);
  return StateDict(path, file->header().tensors,
                   [file](const TensorInfo& info) { return file->tensor(info); });
}

StateDict LocalFileSource::open_weights(const std::string& path) {
  if (format_of(path) == WeightFormat::kSafetensors) return open_safetensors(path);
  const std::shared_ptr<const TorchCheckpoint> file = open_checkpoint(path);
  return StateDict(path, file->tensors(), [file](const TensorInfo& info) { return file->tensor(info); });
}

StateDict LocalFileSource::open_outline(const std::string& path) {
  const bool is_safetensors = format_of(path) == WeightFormat::kSafetensors;
  return outline_of(
      path, is_safetensors ? SafetensorsFile(path).header().tensors : open_checkpoint(path)->tensors());
}

StateDict outline_of(const std::string& origin, std::vector<TensorInfo> tensors) {
  return {origin, std::move(tensors), [](const TensorInfo& info) {
            return at::empty(info.shape, at::TensorOptions(info.dtype).device(torch::kMeta));
          }};
}

}  // namespace leco
