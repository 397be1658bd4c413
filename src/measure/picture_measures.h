// What the drawn pictures say of a LoRA, at each scale.
#pragma once

#include <torch/types.h>

#include <string>
#include <vector>

#include "config/prompt_direction.h"
#include "measure/clip_score.h"
#include "measure/scale_curve.h"

namespace leco {

// One noise: a picture for each scale, (H, W, 3) uint8.
struct MeasuredRow {
  std::string prompt;
  std::vector<torch::Tensor> pictures;
};

// Fills pixel_distance and ssim: each picture against its row's at scale 0, means over the rows (one or
// more).
void measure_distances(const std::vector<MeasuredRow>& rows, std::vector<ScaleMeasures>& scales);

// Fills clip: of each direction, in the rows whose prompt is its target; means over both.
void measure_clip(const ClipScore& clip, const std::vector<MeasuredRow>& rows,
                  const std::vector<PromptDirection>& directions, std::vector<ScaleMeasures>& scales);

}  // namespace leco
