// Where model files come from: this process's file system, or another rank's (train/shared_files.h).
#pragma once

#include <string>

#include "io/state_dict.h"

namespace leco {

// On many ranks every call is collective and gives the same answer, or the same error, on every rank.
class FileSource {
 public:
  virtual ~FileSource() = default;
  virtual bool exists(
      const std::string& path) = 0;  // a file or a folder; usage error when that cannot be found out
  virtual std::string read(const std::string& path) = 0;            // usage error when it cannot be read
  virtual StateDict open_safetensors(const std::string& path) = 0;  // usage error when it is not valid
  // The same with names, types and shapes alone: nothing but the header is read, and the tensors are on
  // torch::kMeta.
  virtual StateDict open_outline(const std::string& path) = 0;
};

class LocalFileSource final : public FileSource {
 public:
  bool exists(const std::string& path) override;
  std::string read(const std::string& path) override;
  StateDict open_safetensors(const std::string& path) override;  // memory-mapped
  StateDict open_outline(const std::string& path) override;
};

// Tensors without contents, on torch::kMeta.
StateDict outline_of(const std::string& origin, std::vector<TensorInfo> tensors);

}  // namespace leco
