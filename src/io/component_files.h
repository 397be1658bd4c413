// The files that hold the weights of one part of a Diffusers folder (unet/, text_encoder/, vae/).
#pragma once

#include <string>
#include <vector>

#include "io/file_source.h"

namespace leco {

// The paths of the part's weights, several where they are split into shards. `stem` is the name that
// Diffusers gives them without its ending: "diffusion_pytorch_model", or "model" in text encoders. Taken is
// the first that is there: safetensors, their shards (by the index file), the fp16 or bf16 variant of either,
// and torch's .bin ("pytorch_model.bin" in text encoders). Throws a usage error that names what was looked
// for. Collective, as `files` is.
std::vector<std::string> find_component(FileSource& files, const std::string& folder,
                                        const std::string& stem);

// All their tensors as one.
StateDict open_component(FileSource& files, const std::vector<std::string>& paths, Contents contents);

}  // namespace leco
