// LoRA files as sd-scripts writes them: lora_unet_<module>.lora_down.weight, .lora_up.weight, .alpha.
#pragma once

#include "io/file_source.h"
#include "io/safetensors.h"
#include "lora/lora_network.h"

namespace leco {

// On the CPU, in the type; convolutions as (rank, in, k, k) and (out, rank, 1, 1); alpha a scalar.
NamedTensors lora_tensors(const LoraNetwork& network, torch::ScalarType dtype);

// Replaces the network's weights by a file's. Throws a usage error when the file holds other modules, another
// rank or another alpha than the network.
void load_lora(LoraNetwork& network, StateDict weights);

}  // namespace leco
