// A checkpoint in memory that has a path, since the reader maps files.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <string>
#include <string_view>

#include "io/torch_checkpoint.h"
#include "tests/fuzz/refusal.h"

namespace leco::fuzz {

// Reads every tensor of the checkpoint whose bytes these are: each element is touched.
inline void read_checkpoint(std::string_view bytes) {
  static const int file = memfd_create("checkpoint", 0);
  require(file >= 0 && ftruncate(file, static_cast<off_t>(bytes.size())) == 0 &&
              pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
          "the system gives memory for the file");
  static const std::string path = "/proc/self/fd/" + std::to_string(file);
  is_read([&] {
    const TorchCheckpoint checkpoint(path);
    for (const TensorInfo& info : checkpoint.tensors()) {
      require(info.begin <= info.end && info.end <= bytes.size(), "tensors lie inside the file");
      const torch::Tensor tensor = checkpoint.tensor(info);
      require(tensor.sizes() == torch::IntArrayRef(info.shape), "the shape is the one that was said");
      const auto* element = static_cast<const volatile char*>(tensor.const_data_ptr());
      for (size_t i = 0; i < tensor.nbytes(); ++i) (void)element[i];
    }
  });
}

}  // namespace leco::fuzz
