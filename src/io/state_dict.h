// Named weights, each to be taken once. What a model does not find, or finds in another shape, is fatal and
// named; what it leaves is listed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/tensor_info.h"

namespace leco {

class StateDict {
 public:
  // Returns the tensor's contents on the CPU, in the file's type. May be a view of memory that the function
  // keeps alive.
  using Fetch = std::function<torch::Tensor(const TensorInfo&)>;
  // `origin` names the file in messages.
  StateDict(std::string origin, std::vector<TensorInfo> tensors, Fetch fetch);

  const std::string& origin() const { return origin_; }
  bool contains(const std::string& name) const { return tensors_.contains(name); }
  const TensorInfo* find(const std::string& name) const;  // null where there is none (or it is taken)

  // Gives and removes the tensor. Throws a usage error that names file, tensor, found and wanted shape.
  torch::Tensor take(const std::string& name, const std::vector<int64_t>& shape);

  // Names not taken yet, sorted.
  std::vector<std::string> left() const;

 private:
  std::string origin_;
  std::map<std::string, TensorInfo> tensors_;
  Fetch fetch_;
};

}  // namespace leco
