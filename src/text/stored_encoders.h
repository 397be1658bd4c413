// Text encoders as single files of Stable Diffusion hold them. Names: LDM (SD 1.x and 2.x) and SGM (SDXL);
// reference: transformers' CLIPTextModel, OpenCLIP's TextTransformer, diffusers' single_file_utils.
#pragma once

#include <string>

#include "io/state_dict.h"
#include "text/clip_config.h"

namespace leco {

// An encoder whose `weights` are asked for by transformers' names, and what their shapes tell of it. What no
// shape tells is as in the published models: heads of 64 features, norms with eps 1e-5.
struct StoredEncoder {
  ClipTextConfig config;
  StateDict weights;
};

// OpenAI's ViT-L in the names of transformers, behind `prefix` ("cond_stage_model.transformer."); with or
// without "text_model." between the two, as older files have it.
StoredEncoder stored_clip(StateDict file, const std::string& prefix);

// An encoder in OpenCLIP's names behind `prefix` ("cond_stage_model.model."): fused q/k/v, the projection
// transposed. SDXL's is whole. With `stops_early` the last layer and the projection, which SD 2.x does not
// use, do not count: all of 24 layers but the last; a file of 23, as converters write it, comes without them.
StoredEncoder stored_open_clip(StateDict file, const std::string& prefix, bool stops_early);

}  // namespace leco
