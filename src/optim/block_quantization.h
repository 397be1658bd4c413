// Block-wise dynamic quantization: Dettmers et al., "8-bit Optimizers via Block-wise Quantization", 2022, as
// bitsandbytes does it. Each block of 256 numbers is scaled by its greatest absolute value, and each number
// becomes the nearest of 256 values that lie densest around zero.
#pragma once

#include <torch/types.h>

namespace leco {

inline constexpr int64_t kQuantizationBlock = 256;

// The 256 values, ascending: a sign where `is_signed`, a decimal exponent of up to seven bits, and a fraction
// in the bits that are left.
torch::Tensor dynamic_map(bool is_signed);

class BlockQuantizer {
 public:
  BlockQuantizer(bool is_signed, torch::Device device);

  struct Stored {
    torch::Tensor codes;   // (n) uint8
    torch::Tensor scales;  // (blocks) float32
  };
  // values (n) float32; blocks begin at its first number, the last one may be shorter. A negative number
  // never becomes 0 but the least negative value, as in bitsandbytes, so that signs are kept.
  Stored quantize(const torch::Tensor& values) const;
  torch::Tensor restore(const torch::Tensor& codes, const torch::Tensor& scales) const;  // (n) float32

 private:
  bool is_signed_;
  torch::Tensor map_;        // (256)
  torch::Tensor midpoints_;  // (255), between neighbours
  int64_t zero_;             // the place of 0 in the map
};

int64_t block_count(int64_t numbers);

}  // namespace leco
