// <output_name>.metrics.jsonl: one JSON object a line, one line a step.
#pragma once

#include <fstream>
#include <optional>
#include <string>

#include "train/trainer.h"

namespace leco {

// {"step", "loss", "lr", "grad_norm", "seconds": {"rollout", "frozen", "train", "merge", "update"},
//  "items": [{"pair", "k", "t", "height", "width"}]}, and in some steps
//  "early_sign": {"change", "cosine", "progress"}. Numbers are written so that they read back to the same
//  bits.
std::string metrics_line(const StepReport& report);

// How far a run is that somebody is training, and how fast.
struct LastSteps {
  int64_t step = 0;    // of the last whole line; 0 where there is none, or no such file
  int64_t count = 0;   // of whole lines before the end, some dozens at most
  double seconds = 0;  // that these took
};
// Reads some KiB from the end, or the last line where that is longer.
LastSteps last_steps_in(const std::string& path);

class MetricsFile {
 public:
  // Keeps the lines of the first `finished_steps` steps, which a run that goes on has done before, and drops
  // what it is about to do again; 0 starts anew. Usage error when it cannot be written.
  explicit MetricsFile(const std::string& path, int64_t finished_steps = 0);
  void write(const StepReport& report);  // at once on the disk's side, so that a killed run keeps its lines
  // The last of the steps that were done before, its items left out; nothing where its line is missing.
  const std::optional<StepReport>& last_kept() const { return last_kept_; }

 private:
  std::string path_;
  std::optional<StepReport> last_kept_;
  std::ofstream out_;
};

}  // namespace leco
