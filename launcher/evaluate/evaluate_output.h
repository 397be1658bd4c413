// From what was measured and drawn to the files of `leco evaluate`. One rank does it.
#pragma once

#include <string>
#include <vector>

#include "config/prompt_direction.h"
#include "launcher/flags/evaluate_flags.h"
#include "measure/scale_curve.h"
#include "picture/picture.h"
#include "sample/drawing.h"

namespace leco {

struct EvaluateOutput {
  const EvaluateSettings& settings;
  std::string model;  // its description
  const std::vector<PromptDirection>& directions;
  const std::vector<DrawingRow>& rows;
  int64_t target_rows;  // the first of the rows: those that the distances are taken of
};

// Measures the pictures, writes report.json and report.html, and with --annotate the LoRA's metadata. Returns
// the paths of what was written, a line each. Usage error where a path cannot be written.
std::string write_evaluation(const EvaluateOutput& output, std::vector<ScaleMeasures> scales,
                             const std::vector<std::vector<Picture>>& pictures);

}  // namespace leco
