// How well a picture fits a prompt, in CLIP's eyes. Radford et al., 2021; the score as Hessel et al.,
// "CLIPScore", 2021, without its clipping at 0.
#pragma once

#include <torch/types.h>

#include <string>

#include "measure/clip_folder.h"
#include "text/clip_layers.h"
#include "text/clip_projection.h"
#include "text/clip_text.h"
#include "text/tokenizer.h"

namespace leco {

// The picture encoder of transformers' CLIPModel, with its projection.
class ClipVision {
 public:
  ClipVision(const ClipVisionConfig& config, int64_t projection_dim, const ClipWeights& weights);
  // pixels (n, 3, S, S) float32, S = image_size → (n, projection_dim). Records no gradient.
  torch::Tensor operator()(const torch::Tensor& pixels) const;

 private:
  ClipVisionConfig config_;
  torch::Tensor class_embedding_, patch_embedding_, position_embedding_;
  ClipWeights::Affine pre_norm_, post_norm_;
  ClipLayers layers_;
  torch::Tensor projection_;
};

// picture (H, W, 3) uint8 → (3, crop, crop) float32, as transformers' CLIPImageProcessor.
torch::Tensor clip_pixels(const torch::Tensor& picture, const ClipPictureConfig& config);

class ClipScore {
 public:
  // On torch::kMeta, of an outline: finds a folder that does not fit in no time. Usage errors that name what
  // is missing.
  ClipScore(ClipFolder folder, torch::Device device);

  torch::Tensor of_prompt(const std::string& prompt) const;      // (projection_dim), length 1
  torch::Tensor of_picture(const torch::Tensor& picture) const;  // of (H, W, 3) uint8, the same

 private:
  ClipPictureConfig picture_;
  std::string origin_;
  torch::Device device_;
  Tokenizer tokenizer_;
  ClipText text_;
  ClipProjection text_projection_;
  ClipVision vision_;
};

// 100·cosine of two vectors of length 1.
double clip_score(const torch::Tensor& picture, const torch::Tensor& prompt);

}  // namespace leco
