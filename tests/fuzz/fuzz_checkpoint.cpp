// A whole file of torch.save: the zip, the pickle in it, the tensors it describes.
#include <cstdint>

#include "tests/fuzz/checkpoint_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  leco::fuzz::read_checkpoint({reinterpret_cast<const char*>(data), size});
  return 0;
}
