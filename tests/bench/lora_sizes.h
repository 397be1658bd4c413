// The LoRA files that benches measure at: 3 to 170 MB in float32.
#pragma once

#include <cstdint>

namespace leco {

struct LoraSize {
  const char* name;
  int64_t weights;
};
constexpr LoraSize kLoraSizes[] = {{"SD 1.5 attention, rank 4", 797'184},
                                   {"SD 1.5, rank 4", 1'754'112},
                                   {"SD 1.5, rank 16", 7'016'448},
                                   {"SDXL, rank 4", 10'645'504},
                                   {"SDXL, rank 16", 42'582'016}};

}  // namespace leco
