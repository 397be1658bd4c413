// Where model files come from: this process's file system, or another rank's (train/shared_files.h).
#pragma once

#include <functional>
#include <string>

#include "io/state_dict.h"

namespace leco {

// What of a weight file is wanted.
enum class Contents {
  kWeights,  // all of it; tensors are read when they are taken
  kOutline,  // names, types and shapes: no tensor is read, and they are on torch::kMeta
};

// On many ranks every call is collective and gives the same answer, or the same error, on every rank.
class FileSource {
 public:
  virtual ~FileSource() = default;
  virtual bool exists(
      const std::string& path) = 0;  // a file or a folder; usage error when that cannot be found out
  virtual bool is_folder(const std::string& path) = 0;              // false where there is nothing
  virtual std::string read(const std::string& path) = 0;            // usage error when it cannot be read
  virtual StateDict open_safetensors(const std::string& path) = 0;  // usage error when it is not valid
  // A file of either kind, by what it begins with: safetensors, or torch.save's zip (io/torch_checkpoint.h).
  virtual StateDict open_weights(const std::string& path) = 0;
  virtual StateDict open_outline(const std::string& path) = 0;
  // Does `work` on this rank alone: meanwhile its calls are its own affair, also those of a model that was
  // opened through this source. Only the rank that reads may call it.
  virtual void read_alone(const std::function<void()>& work) { work(); }
  StateDict open(const std::string& path, Contents contents) {
    return contents == Contents::kOutline ? open_outline(path) : open_weights(path);
  }
};

class LocalFileSource final : public FileSource {
 public:
  bool exists(const std::string& path) override;
  bool is_folder(const std::string& path) override;
  std::string read(const std::string& path) override;
  StateDict open_safetensors(const std::string& path) override;  // memory-mapped
  StateDict open_weights(const std::string& path) override;      // memory-mapped
  StateDict open_outline(const std::string& path) override;
};

// Tensors without contents, on torch::kMeta.
StateDict outline_of(const std::string& origin, std::vector<TensorInfo> tensors);

}  // namespace leco
