// A VAE in one of the forms in which people have it, before anything is built from it.
#pragma once

#include <string>

#include "io/file_source.h"
#include "model/family.h"
#include "model/vae.h"

namespace leco {

struct VaeSource {
  VaeConfig config;
  StateDict weights;  // the decoder's, under Diffusers' names
};

// What people give as --vae: a VAE's Diffusers folder, a model folder with one, or a file. Throws a usage
// error that says what it is where it is none of these. Collective, as `files` is.
VaeSource open_vae(FileSource& files, const std::string& path, Family family, Contents contents);

// A folder with a config.json and weights, as vae/ of a model.
VaeSource open_vae_folder(FileSource& files, const std::string& folder, Contents contents);

// A whole model or a VAE alone, safetensors or .ckpt, in LDM's or Diffusers' names. Such a file does not say
// its scaling factor: `family` does.
VaeSource open_vae_file(FileSource& files, const std::string& path, Family family, Contents contents);

}  // namespace leco
