// What a LoRA file holds, module by module, whoever wrote it.
#pragma once

#include <string>
#include <vector>

#include "io/safetensors.h"

namespace leco {

struct ModuleSummary {
  std::string name;  // as in the file: "lora_unet_down_blocks_0_…", or dotted
  int64_t rank = 0;
  double alpha = 0;  // the rank where nothing says it: by convention the scale is then 1
  bool has_alpha = false;
  torch::ScalarType dtype = torch::kFloat32;  // of lora_down
  std::vector<int64_t> down_shape, up_shape;
  int64_t weights = 0;  // of down and up
  // Frobenius norms, computed in double. `change` is that of up·down·alpha/rank, which is what the module
  // adds to its layer's weight at strength 1. Not finite when a weight is not.
  double down_norm = 0, up_norm = 0, change_norm = 0;
  double scale() const { return alpha / static_cast<double>(rank); }
};

struct LoraSummary {
  std::string layout;                    // whose names the file uses
  std::vector<ModuleSummary> modules;    // by name
  std::vector<std::string> other_names;  // tensors that belong to no module
};

// Reads sd-scripts' names (ours), PEFT's and Diffusers'. Throws a usage error that says what the file is when
// it is no LoRA, a LoRA of another kind (LoHa, LoKr, DoRA, Tucker), or one with a half missing.
LoraSummary summarise_lora(const SafetensorsFile& file, const std::string& path);

}  // namespace leco
