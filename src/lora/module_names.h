// What LoRA files call a layer.
#pragma once

#include <optional>
#include <string>

#include "io/state_dict.h"
#include "model/unet_config.h"

namespace leco {

// `layer` is a layer of `unet` as Diffusers names it ("down_blocks.1.attentions.0.proj_in"). SD 1.x and 2.x
// files keep that spelling ("lora_unet_down_blocks_1_attentions_0_proj_in"); SDXL files count blocks as
// Stability's own code does ("lora_unet_input_blocks_4_1_proj_in"), which sd-scripts writes and every loader
// reads fully.
std::string lora_file_name(const std::string& layer, const UNetConfig& unet);

// What a file calls it: `usual`, its lora_file_name(), or for SDXL in Diffusers' spelling, which some
// trainers write and open_lora() gives. Nothing where the file has no lora_down of it.
std::optional<std::string> stored_name(const StateDict& file, const std::string& layer,
                                       const std::string& usual);

}  // namespace leco
