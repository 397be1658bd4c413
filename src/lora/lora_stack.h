// LoRA files that act together on one U-Net, each as strong as it is asked to: to draw with and to measure.
// Nothing of it is trained.
#pragma once

#include <map>
#include <memory>
#include <vector>

#include "io/state_dict.h"
#include "lora/lora_module.h"
#include "model/unet.h"

namespace leco {

class LoraStack {
 public:
  explicit LoraStack(UNet& unet);
  ~LoraStack();  // detaches
  LoraStack(const LoraStack&) = delete;
  LoraStack& operator=(const LoraStack&) = delete;

  // Adds a file in sd-scripts' names, with whatever rank and alpha each of its modules has; of an SDXL file
  // both spellings are known. Its effect is `strength` times that of the pass. Throws a usage error when the
  // file holds no LoRA, or one for another model, or more than this U-Net has layers for.
  void add(StateDict weights, double strength = 1.0);

  int64_t modules() const;  // of all files

 private:
  class Sum;  // the adapters of one layer
  UNet& unet_;
  std::map<AdaptedLayer*, std::unique_ptr<Sum>> sums_;
};

}  // namespace leco
