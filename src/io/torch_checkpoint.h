// Weights as torch.save writes them since version 1.6 (.ckpt, .pt, .pth): a zip with a pickle and one entry a
// storage.
//
// The pickle is read by our own interpreter (pickle.h), and only these calls in it mean something:
// collections' OrderedDict, torch._utils' _rebuild_tensor_v2 and _v3, _rebuild_parameter (also with state)
// and torch._tensor._rebuild_from_type_v2 around one of them. Names that commonly lie beside the weights
// (callbacks of PyTorch Lightning, OmegaConf's settings, NumPy's scalars) may be mentioned and mean nothing.
// Any other name is refused, wherever it comes. A tensor must lie inside its storage, and may not have more
// elements than it.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "io/mapped_file.h"
#include "io/state_dict.h"
#include "io/tensor_info.h"

namespace leco {

// A tensor's place in the file. `info`'s range is counted from the start of the file and reaches to the last
// element.
struct StoredTensor {
  TensorInfo info;
  std::vector<int64_t> strides;  // in elements
};

// A memory-mapped file. Names are those of the entry "state_dict", or of the top level where there is none;
// those of an inner dictionary are joined with a dot.
class TorchCheckpoint {
 public:
  // Throws a usage error that names the file and what is wrong.
  explicit TorchCheckpoint(const std::string& path);

  std::vector<TensorInfo> tensors() const;  // by name

  // What else the file holds beside its tensors (epoch, optimizer_states, …), sorted; not read.
  const std::vector<std::string>& ignored() const { return ignored_; }

  // `info` is one of tensors(). A view of the mapping that is to be read only, also where tensors share a
  // storage; a contiguous copy, where the elements do not lie in a row (and as MappedFile::tensor says).
  torch::Tensor tensor(const TensorInfo& info) const;

 private:
  MappedFile file_;
  std::map<std::string, StoredTensor> tensors_;
  std::vector<std::string> ignored_;
};

// What is done with a file, from how it begins.
enum class WeightFormat { kSafetensors, kTorchZip, kOldTorch };

// `head` is the file, or its first 512 bytes at least. What is none of the others passes for safetensors,
// whose reader says what it is instead.
WeightFormat weight_format(std::string_view head);

// Refuses a file that torch before 1.6 wrote, and says what to do with it.
[[noreturn]] void reject_old_torch_file(const std::string& path);

}  // namespace leco
