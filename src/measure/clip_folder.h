// A CLIP model in the layout of transformers' CLIPModel and CLIPProcessor: config.json, weights,
// preprocessor_config.json, vocab.json and merges.txt, in one folder.
#pragma once

#include <array>
#include <string>

#include "io/file_source.h"
#include "text/clip_config.h"
#include "text/tokenizer_files.h"

namespace leco {

struct ClipVisionConfig {
  int64_t hidden_size = 768;
  int64_t intermediate_size = 3072;
  int64_t num_hidden_layers = 12;
  int64_t num_attention_heads = 12;
  int64_t image_size = 224;  // pixels, square
  int64_t patch_size = 32;
  ClipActivation hidden_act = ClipActivation::kQuickGelu;
  double layer_norm_eps = 1e-5;
};

// How a picture becomes the encoder's input: resized by its shorter side, the middle cut out, 8-bit values
// divided by 255, then (x − mean)/std of each channel.
struct ClipPictureConfig {
  int64_t shortest_edge = 224;
  int64_t crop = 224;
  std::array<double, 3> mean = {0.48145466, 0.4578275, 0.40821073};
  std::array<double, 3> std = {0.26862954, 0.26130258, 0.27577711};
};

struct ClipFolder {
  ClipTextConfig text;
  ClipVisionConfig vision;
  ClipPictureConfig picture;
  int64_t projection_dim = 512;
  TokenizerFiles tokenizer;
  StateDict weights;
};

// Keys that a config leaves out have the defaults of transformers' classes. Throws a usage error that names
// the file and the key for what is missing, wrong, or preprocessing of another kind.
ClipFolder open_clip_folder(FileSource& files, const std::string& folder, Contents contents);

}  // namespace leco
