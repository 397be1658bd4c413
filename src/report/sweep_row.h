// One run of a sweep as its results show it: what `leco sweep` finds in the run's folder, and what
// results.csv, results.json and report.html are made of.
#pragma once

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace leco {

enum class RunStatus {
  kDone,
  kRunning,
  kFailed,
  kLeft,
  kOther  // finished with other settings than are asked for now: no part of what is compared
};
inline bool is_finished(RunStatus status) {
  return status == RunStatus::kDone || status == RunStatus::kOther;
}

struct SweepRow {
  std::string name = {};     // the run's, unique in the sweep
  std::string prompts = {};  // the prompt file's stem or the slider's name: curves join runs that share it
  RunStatus status = RunStatus::kLeft;
  std::optional<double> seconds = {};  // spent in training; absent before there is something to tell
  std::vector<std::pair<std::string, std::string>> swept =
      {};  // flag and value as in the name, in the grid's order; a run that was included may have others
  std::optional<double> final_loss = {};  // of the last step
  std::string error = {};                 // why it failed, or what its other settings are, as one line
  std::vector<std::pair<std::string, double>> measures =
      {};  // by report/sweep_measures.h; empty where nothing was evaluated

  // Relative to the sweep's output_dir, with '/' between folders
  std::string folder = {};
  std::vector<std::string> files = {};  // to link to: the LoRA first
  std::string picture = {};             // PNG or JPEG that stands for the run; empty where there is none
};

}  // namespace leco
