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

// Shares the rows out by expected cost, draws this rank's, and brings all to rank 0. Collective; `host`
// carries host memory. Throws where a picture is not made of finite numbers.
SharedRows draw_shared(const DrawingModel& model, const Vae& vae, const std::vector<DrawingRow>& rows,
                       Communicator& host);

// The row's pictures, decoded one by one so that memory does not grow with the number of scales.
std::vector<Picture> decode_row(const Vae& vae, const torch::Tensor& latents);

}  // namespace leco
