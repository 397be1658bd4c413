// What `leco evaluate` found, as a file for programs and a page for people.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "config/prompt_direction.h"
#include "measure/scale_curve.h"

namespace leco {

struct EvaluationReport {
  struct PictureRow {
    std::string prompt;
    bool is_preserved = false;      // a preserve prompt's: not part of the distances
    std::vector<std::string> pngs;  // whole files, one a scale
  };
  std::string lora;  // the file's name
  std::vector<PromptDirection> directions;
  std::vector<ScaleMeasures> scales;  // ascending
  CurveMeasures curve;
  std::vector<PictureRow> pictures;
  int64_t picture_width = 0, picture_height = 0;  // as embedded
  bool keeps_pixels = false;                      // small pictures are enlarged without smoothing
  std::vector<std::pair<std::string, std::string>> settings;
};

// The fields of SPEC section 9; what has no value is null. Numbers as the shortest text that reads back as
// the same double. With a CLIP model each scale has `clip`: {"positive", "negative"}.
std::string evaluation_json(const EvaluationReport& report);

// One HTML file: verdict, curves, pictures, numbers, settings.
std::string evaluation_page(const EvaluationReport& report);

}  // namespace leco
