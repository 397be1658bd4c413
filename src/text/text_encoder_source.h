// One text encoder and its tokenizer, as a model's files hold them and before anything is built from them.
#pragma once

#include <string>

#include "io/file_source.h"
#include "io/state_dict.h"
#include "text/clip_config.h"
#include "text/tokenizer_files.h"

namespace leco {

struct TextEncoderSource {
  // Counts the layers that are used: all of them, and for SD 2.x those up to the penultimate, which are what
  // a Diffusers folder holds (23 of 24).
  ClipTextConfig config;
  StateDict weights;  // under the names of transformers' CLIPTextModel or CLIPTextModelWithProjection
  TokenizerFiles tokenizer;
};

// Reads the sub-folders `encoder` ("text_encoder", "text_encoder_2") and `tokenizer` ("tokenizer",
// "tokenizer_2") of a Diffusers folder; of the weights the header only. Throws usage errors that name the
// missing or wrong file. Collective where `files` is.
TextEncoderSource open_text_encoder(FileSource& files, const std::string& model_folder,
                                    const std::string& encoder, const std::string& tokenizer,
                                    Contents contents = Contents::kWeights);

}  // namespace leco
