// Strict reader and writer of safetensors files.
//
// Rules as in the reference implementation (huggingface/safetensors, tensor.rs): header of at most
// 100,000,000 bytes, UTF-8 JSON object without duplicate keys, known types, offsets that tile the data
// section from 0 to its end without hole or overlap, and shape times type size equal to each range.
//
// Stricter than that: the header begins with '{' (as the format's text asks), a key may not come twice
// anywhere, a tensor's entry has its three keys and no other, and there are bounds on what torch can hold (64
// dimensions, sizes of 63 bits) and on the number of tensors (100,000).
#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "io/mapped_file.h"
#include "io/state_dict.h"

namespace leco {

using Metadata = std::map<std::string, std::string>;
using NamedTensors = std::vector<std::pair<std::string, torch::Tensor>>;

struct SafetensorsHeader {
  std::vector<TensorInfo> tensors;  // in order of their offsets
  Metadata metadata;
  uint64_t data_begin = 0;  // bytes from the start of the file
};

// Parses the head of a file of `file_size` bytes. `head` must hold the 8 length bytes and the whole JSON
// header (more may follow), or the whole file where that is shorter. Throws a usage error that names `origin`
// and what is wrong.
SafetensorsHeader parse_safetensors_header(std::string_view head, uint64_t file_size,
                                           const std::string& origin);

// A memory-mapped file. Tensors are views of the mapping and keep it alive. The file must not shrink
// meanwhile: the system ends a process that touches a page behind the end.
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::string& path);
  const SafetensorsHeader& header() const { return header_; }
  // `info` is one of the header's. To be read only: writing to a view ends the process. A copy, where the
  // file's layout leaves the elements unaligned, and for BOOL, where the bytes may be others than 0 and 1.
  torch::Tensor tensor(const TensorInfo& info) const;
  uint64_t size() const { return file_.bytes().size(); }  // of the file, bytes
  std::string_view head() const;                          // length bytes and JSON, as stored
  std::string_view data() const;                          // what follows them: the tensors

 private:
  MappedFile file_;
  SafetensorsHeader header_;
};

// The bytes of a file: header (padded with spaces to a multiple of 8), then the tensors in the order of the
// reference implementation (larger element types first, then by name). Tensors are made contiguous on the
// CPU. Metadata is sorted by key; equal input gives equal bytes. Throws a usage error for text in `metadata`
// that is not UTF-8; a wrong name (taken twice, reserved, not UTF-8) or a tensor that the format cannot hold
// (type, layout) is an internal error.
std::string safetensors_bytes(const NamedTensors& tensors, const Metadata& metadata);

// The same bytes as a file that is whole or absent, tensor by tensor: no second copy of them all is held.
void write_safetensors(const std::string& path, const NamedTensors& tensors, const Metadata& metadata);

// Writes the file at `path` anew, whole or not at all, with other metadata: the tensors keep names, types,
// shapes, order and bytes, so that no checksum of them changes. A symbolic link stays; what it leads to is
// written.
void replace_metadata(const std::string& path, const Metadata& metadata);

}  // namespace leco
