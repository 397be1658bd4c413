// The header of a safetensors file. What is read must lie inside the file, in a row, in the size it says.
#include <c10/core/ScalarType.h>

#include <cstdint>

#include "io/safetensors.h"
#include "tests/fuzz/refusal.h"

using namespace leco;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view file(reinterpret_cast<const char*>(data), size);
  fuzz::is_read([&] {
    const SafetensorsHeader header = parse_safetensors_header(file, size, "fuzz.safetensors");
    uint64_t at = 0;
    for (const TensorInfo& tensor : header.tensors) {
      uint64_t bytes = c10::elementSize(tensor.dtype);
      for (const int64_t length : tensor.shape) bytes *= static_cast<uint64_t>(length);
      fuzz::require(tensor.begin == at && tensor.end - tensor.begin == bytes, "tensors follow each other");
      at = tensor.end;
    }
    fuzz::require(header.data_begin + at == size, "the last tensor ends with the file");
  });
  return 0;
}
