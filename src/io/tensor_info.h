// What a weight file says of one tensor.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace leco {

struct TensorInfo {
  std::string name;
  torch::ScalarType dtype = torch::kFloat32;
  std::vector<int64_t> shape;
  uint64_t begin = 0;  // bytes from the start of the file's data section
  uint64_t end = 0;
};

}  // namespace leco
