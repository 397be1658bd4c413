// A matrix of the LoRA's one flat buffer of weights, as optimizers see it.
#pragma once

#include <cstdint>

namespace leco {

// lora_down or lora_up of one module. In a LoRA file a linear layer's tensor is one (rows, columns) matrix;
// a convolution's has four dimensions, which Adafactor takes as `matrices` = the first two and (rows,
// columns) = the kernel.
struct WeightSegment {
  int64_t offset = 0;  // of its first number in the flat buffer; row-major from there
  int64_t rows = 0;
  int64_t columns = 0;
  int64_t matrices = 1;
  double rate_factor = 1.0;  // of the learning rate; 0: the segment stays as it is

  int64_t count() const { return matrices * rows * columns; }
};

}  // namespace leco
