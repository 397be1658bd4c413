// Strict reader and writer of safetensors files.
// Rules as in the reference implementation (huggingface/safetensors, tensor.rs): header of at most 100,000,000 bytes,
// UTF-8 JSON object without duplicate keys, known types, offsets that tile the data section from 0 to its end without
// hole or overlap, and shape × type size equal to each range.
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/state_dict.h"

namespace leco {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in order of their offsets
  Metadata metadata;
  uint64_t data_begin = 0;  // bytes from the start of the file
};

// Parses the head of a file of `file_size` bytes. `head` must hold the 8 length bytes and the whole JSON header.
// Throws a usage error that names `origin` and what is wrong.
SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size, const std::string& origin);

// A memory-mapped file. Tensors are views of the mapping and keep it alive.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const SafetensorsHeader& header() const { return header_; }
  torch::Tensor tensor(const TensorInfo& info) const;  // read-only by convention
  std::string_view head() const;                        // length bytes and JSON, as stored

 private:
  std::shared_ptr<void> mapping_;
  size_t size_ = 0;
  SafetensorsHeader header_;
};

// The bytes of a file: header (padded with spaces to a multiple of 8), then the tensors in the order of the reference
// implementation (larger element types first, then by name). Tensors are made contiguous on the CPU.
std::string safetensors_bytes(const NamedTensors& tensors, const Metadata& metadata);

}  // namespace leco
