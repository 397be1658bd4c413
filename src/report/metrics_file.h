// <output_name>.metrics.jsonl: one JSON object a line, one line a step.
#pragma once

#include <fstream>
#include <string>

#include "train/trainer.h"

namespace leco {

// {"step", "loss", "lr", "grad_norm", "seconds": {"rollout", "frozen", "train", "merge", "update"},
//  "items": [{"pair", "k", "t", "height", "width"}]}, and in some steps
//  "early_sign": {"change", "cosine", "progress"}. Numbers are written so that they read back to the same
//  bits.
std::string metrics_line(const StepReport& report);

class MetricsFile {
 public:
  explicit MetricsFile(const std::string& path);  // starts anew; usage error when it cannot be written
  void write(const StepReport& report);  // at once on the disk's side, so that a killed run keeps its lines

 private:
  std::string path_;
  std::ofstream out_;
};

}  // namespace leco
