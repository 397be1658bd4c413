// Pictures of the LoRA while it is trained: one file a prompt and time, and at the end all times after each
// other.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "config/settings.h"
#include "model/vae.h"
#include "report/drawn_row.h"
#include "report/growth_frames.h"

namespace leco {

class Previews {
 public:
  struct Given {
    const TrainSettings& settings;
    std::vector<DrawingRow> rows;  // one or more
    DrawingModel model;            // the LoRA is the one that is attached to the U-Net
    std::shared_ptr<Vae> vae;
    Communicator& comm;  // carries host memory
  };
  explicit Previews(Given given);

  bool is_due(int64_t finished_steps) const;

  struct Drawn {
    int64_t step = 0;  // finished steps
    double seconds = 0;
    std::vector<std::string> files = {};  // on rank 0: "<dir>/sample/<name>-step00000100-00.png", one a row
    std::vector<Picture> sheets = {};     // what these files show
  };
  // The rows are shared out over the ranks and drawn; rank 0 writes them. Reads the LoRA, touches no state of
  // the training. Collective.
  Drawn draw(int64_t finished_steps);

  // Writes "<dir>/sample/<name>-growth.gif" of what was drawn so far, with --resume also by earlier starts,
  // and returns its path. Rank 0 calls it; empty when nothing was drawn.
  std::string write_growth();

 private:
  void add_earlier_frames(int64_t before);

  Given given_;
  GrowthFrames growth_;  // on rank 0
  bool has_earlier_ = false;
};

// "<dir>/sample"
std::string preview_folder(const TrainSettings& settings);

}  // namespace leco
