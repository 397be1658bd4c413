// Pictures of the LoRA while it is trained: one file a prompt and time, and at the end all times after each
// other.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "comm/communicator.h"
#include "config/settings.h"
#include "lora/lora_network.h"
#include "model/vae.h"
#include "picture/png.h"
#include "report/drawn_row.h"
#include "report/growth_frames.h"

namespace leco {

class Previews {
 public:
  struct Given {
    const TrainSettings& settings;
    std::vector<DrawingRow> rows;  // one or more
    DrawingModel model;
    LoraNetwork& network;  // that is attached to the model's U-Net
    std::shared_ptr<Vae> vae;
    Communicator& comm;  // carries host memory
  };
  explicit Previews(Given given);

  struct Drawn {
    int64_t step = 0;  // finished steps
    double seconds = 0;
    int stopped_by = 0;                   // asked to leave off before all were drawn; 0: all are there
    std::vector<std::string> files = {};  // on rank 0: "<dir>/sample/<name>-step00000100-00.png", one a row
    std::vector<Picture> sheets = {};     // what these files show
    size_t found = 0;                     // of them, drawn by an earlier start from the very same weights
  };
  // The rows are shared out over the ranks and drawn; rank 0 writes them. When the ranks leave off before
  // (DrawingTask::stop), those that are drawn are written as well, and the start that goes on draws the
  // others. Reads the LoRA, touches no state of the training. Collective.
  Drawn draw(int64_t finished_steps, const std::function<int()>& stop);

  // Writes "<dir>/sample/<name>-growth.gif" of what was drawn so far, with --resume also by earlier starts,
  // and returns its path. Rank 0 calls it; empty when nothing was drawn.
  std::string write_growth();

 private:
  // What a file says beside its picture: how it was drawn, and from which weights.
  PngTexts texts(size_t row, int64_t step) const;
  std::vector<std::optional<Picture>> find_earlier(int64_t step) const;
  std::vector<size_t> missing_on_first(const std::vector<std::optional<Picture>>& sheets) const;
  Picture write_sheet(size_t row, int64_t step, std::vector<Picture> pictures) const;
  void show(Drawn& drawn, std::vector<std::optional<Picture>> sheets);  // all of them
  void add_earlier_frames(int64_t before);

  Given given_;
  GrowthFrames growth_;  // on rank 0
  bool has_earlier_ = false;
  bool goes_on_ = false;       // the first pictures of a start that goes on may be there
  std::string lora_checksum_;  // of the weights that are drawn
};

bool previews_are_due(const TrainSettings& settings, int64_t finished_steps);

// "<dir>/sample"
std::string preview_folder(const TrainSettings& settings);

}  // namespace leco
