// The VAE's decoder as Stability's own code writes it, in single files and in VAE files. Reference: model.py
// of CompVis/latent-diffusion and diffusers' single_file_utils.
#pragma once

#include <string>

#include "io/state_dict.h"
#include "model/vae_config.h"

namespace leco {

// "first_stage_model.": before every name of the VAE in a single file; a VAE's own file has nothing there.
inline constexpr std::string_view kLdmVaePrefix = "first_stage_model.";

// From Diffusers' name of a decoder's layer or weight to LDM's, without the prefix:
// "decoder.up_blocks.0.resnets.1.conv_shortcut.weight" → "decoder.up.3.block.1.nin_shortcut.weight". LDM
// counts levels from the picture inwards, Diffusers the way up from the latents outwards.
std::string ldm_vae_name(const std::string& name);

// The sizes of a VAE from the shapes of `weights`, which are asked for by Diffusers' names. Norms in 32
// groups is not told by a shape and taken as in all published ones; the scaling factor and the size of its
// pictures stay at their defaults. Throws a usage error where the file holds no such decoder.
VaeConfig read_vae_shapes(const StateDict& weights);

}  // namespace leco
