// Named weights, each to be taken once. What a model does not find, or finds in another shape, is fatal and
// named; what it leaves is listed.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "io/tensor_info.h"

namespace leco {

// How a weight stands in a file that has other names and layouts than the one who asks for it.
struct StoredAs {
  std::string name;
  int64_t part = 0, parts = 1;  // its rows are this one of so many equal parts
  bool transposed = false;      // a matrix, kept as its transpose
  bool convolution = false;     // a matrix, kept as a 1×1 convolution
};

// From the asker's name to the file's.
using Spelling = std::function<StoredAs(const std::string& name)>;

class StateDict {
 public:
  // Returns the tensor's contents on the CPU, in the file's type. May be a view of memory that the function
  // keeps alive.
  using Fetch = std::function<torch::Tensor(const TensorInfo&)>;
  // `origin` names the file in messages.
  StateDict(std::string origin, std::vector<TensorInfo> tensors, Fetch fetch);

  const std::string& origin() const { return origin_; }

  // From now on names are asked for as `spelling` knows them; messages and lists keep the file's.
  void spell(Spelling spelling) { spelling_ = std::move(spelling); }
  // Forgets the tensors whose name (the file's) does not belong here.
  void keep(const std::function<bool(const std::string& name)>& belongs);

  // From now on take() notes in `problems` what it would throw, and gives a tensor without contents: to find
  // all that is wrong with a file.
  void note_problems(std::vector<std::string>& problems) { problems_ = &problems; }

  bool contains(const std::string& name) const { return find(name) != nullptr; }
  const TensorInfo* find(const std::string& name) const;  // null where there is none (or it is taken)

  // Gives and removes the tensor. Throws a usage error that names file, tensor, found and wanted shape.
  torch::Tensor take(const std::string& name, const std::vector<int64_t>& shape);

  // take() of a model's weight: it must be stored in F16, BF16, F32 or F64, and every number of it be finite.
  torch::Tensor take_weight(const std::string& name, const std::vector<int64_t>& shape);

  // The file's names that are not taken yet, sorted.
  std::vector<std::string> left() const;
  std::map<torch::ScalarType, int64_t> types_left() const;  // how many of each type
  // Numbers in them.
  int64_t numbers_left() const;

 private:
  struct Shared {  // a tensor of which parts are still to be taken
    torch::Tensor whole;
    int64_t parts_left;
  };
  StoredAs stored_as(const std::string& name) const { return spelling_ ? spelling_(name) : StoredAs{name}; }
  torch::Tensor take_or_throw(const std::string& name, const std::vector<int64_t>& shape);
  torch::Tensor take_stored(const StoredAs& stored);
  void check_shape(const StoredAs& stored, const std::vector<int64_t>& expected) const;

  std::string origin_;
  std::map<std::string, TensorInfo> tensors_;
  std::map<std::string, Shared> shared_;
  Fetch fetch_;
  Spelling spelling_;
  std::vector<std::string>* problems_ = nullptr;
};

// Several files that together hold one set of weights; messages name the first. Throws a usage error for a
// name that stands in two of them.
StateDict join(std::vector<StateDict> files);

}  // namespace leco
