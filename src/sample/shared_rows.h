// Rows of pictures drawn by many ranks: each row by one of them, the same whichever it is.
#pragma once

#include <functional>
#include <vector>

#include "comm/communicator.h"
#include "model/vae.h"
#include "picture/picture.h"
#include "sample/drawing.h"

namespace leco {

// The pictures are on rank 0.
struct SharedRows {
  std::vector<std::vector<Picture>> pictures;  // of each row, one a scale; none of a row that was not drawn
  std::vector<torch::Tensor> latents;          // of each row, (scales, 4, h, w), on the CPU
  int stopped_by = 0;  // what some rank was asked by to leave off, the same on every rank; 0: all is drawn
};

// A preview is a glance while something else goes on: what is not finite in it is black, with a warning, and
// no progress is told. A result with such a picture is an error.
struct DrawingTask {
  enum class As { kResult, kPreview } as = As::kResult;
  // Asked before each step of a sampler; other than 0 asks all ranks to leave off, and stays. A row that is
  // begun is then drawn by nobody.
  std::function<int()> stop = [] { return 0; };
};

// Shares the rows out by expected cost, draws this rank's, and brings all to rank 0. Collective; `host`
// carries host memory.
SharedRows draw_shared(const DrawingModel& model, const Vae& vae, const std::vector<DrawingRow>& rows,
                       Communicator& host, const DrawingTask& task = {});

}  // namespace leco
