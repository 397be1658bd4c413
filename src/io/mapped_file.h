// A weight file in memory, page by page as it is read.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace leco {

// The file must not shrink meanwhile: the system ends a process that touches a page behind the end.
class MappedFile {
 public:
  // Throws a usage error when `path` is no readable regular file; `expected`, such as "a safetensors file",
  // says there what was looked for.
  MappedFile(const std::string& path, std::string_view expected);

  std::string_view bytes() const { return {static_cast<const char*>(mapping_.get()), size_}; }

  // A contiguous tensor whose elements begin at byte `begin`; the range must lie inside the file. It is a
  // view that keeps the mapping alive and is to be read only: writing to it ends the process. A copy, where
  // the elements are not aligned, and for BOOL, where the bytes may be others than 0 and 1.
  torch::Tensor tensor(uint64_t begin, torch::ScalarType dtype, const std::vector<int64_t>& shape) const;

 private:
  std::shared_ptr<void> mapping_;  // null for an empty file
  size_t size_ = 0;
};

}  // namespace leco
