// Rows of pictures drawn by many ranks: each row by one of them, the same whichever it is.
#pragma once

#include <vector>

#include "comm/communicator.h"
#include "model/vae.h"
#include "picture/picture.h"
#include "sample/drawing.h"

namespace leco {

// On rank 0; empty on the others.
struct SharedRows {
  std::vector<std::vector<Picture>> pictures;  // of each row, one a scale
  std::vector<torch::Tensor> latents;          // of each row, (scales, 4, h, w), on the CPU
};

// A preview is a glance while something else goes on: what is not finite in it is black, with a warning, and
// no progress is told. A result with such a picture is an error.
enum class DrawnAs { kResult, kPreview };

// Shares the rows out by expected cost, draws this rank's, and brings all to rank 0. Collective; `host`
// carries host memory.
SharedRows draw_shared(const DrawingModel& model, const Vae& vae, const std::vector<DrawingRow>& rows,
                       Communicator& host, DrawnAs as = DrawnAs::kResult);

}  // namespace leco
