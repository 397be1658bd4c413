// The U-Net as Stability's own code writes it into single files (LDM of SD 1.x and 2.x, SGM of SDXL: one
// naming). Reference: openaimodel.py of CompVis/latent-diffusion and Stability-AI/generative-models, and
// diffusers' single_file_utils.
#pragma once

#include <string>

#include "io/state_dict.h"
#include "model/unet_config.h"

namespace leco {

// "model.diffusion_model.": before every name of the U-Net in a single file.
inline constexpr std::string_view kLdmUNetPrefix = "model.diffusion_model.";

// From Diffusers' name of a layer or weight to LDM's: "down_blocks.1.attentions.0.proj_in.weight" →
// "input_blocks.4.1.proj_in.weight". LDM counts blocks through: input block 0 is conv_in, then each level has
// its resnets (part 0) with their transformers (part 1) and a downsampler; the way up has one resnet more a
// level, and the upsampler stands last in the last of them.
std::string ldm_unet_name(const std::string& name, const UNetConfig& config);

// The sizes of a single file's U-Net, from the shapes in it. What no shape tells is taken as Stability's
// models have it: 8 heads (SD 1.x) or heads of 64 features (the others), norms in 32 groups. Throws a usage
// error where the file holds no such U-Net, or a variant that is not trained here (inpainting, video, …).
UNetConfig read_ldm_unet_config(const StateDict& file);

}  // namespace leco
