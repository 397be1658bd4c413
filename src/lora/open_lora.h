// A LoRA file in any of the layouts that people have, under one set of names.
#pragma once

#include <string>

#include "io/file_source.h"

namespace leco {

// The file's tensors by sd-scripts' names ("lora_unet_<layer>.lora_down.weight", .lora_up.weight, .alpha),
// the layers spelled as in Diffusers where the file is Diffusers' or PEFT's; each module of these has an
// alpha then. What belongs to no U-Net keeps its name. Usage error for a file of PEFT's without its
// adapter_config.json, which alone says the alpha. Collective, as `files` is.
StateDict open_lora(FileSource& files, const std::string& path);

// The layer of a module with a dotted name, as Diffusers names it: "unet.mid_block.…attn1.processor.to_out" →
// "mid_block.…attn1.to_out.0".
std::string layer_of_module(std::string module);

// Whether PEFT saved a model with this module, which Diffusers had no part in.
bool is_of_peft(const std::string& module);

}  // namespace leco
