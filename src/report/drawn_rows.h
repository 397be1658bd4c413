// Rows that were drawn, as grids that explain themselves and as the texts of their PNG files.
#pragma once

#include <string>
#include <vector>

#include "picture/picture_grid.h"
#include "picture/png.h"
#include "sample/drawing.h"

namespace leco {

struct DrawnRow {
  DrawingRow row;
  std::vector<Picture> pictures;  // one a scale
};

// Neighbours that differ in nothing but the prompts share a grid. The title stands over the first; each says
// in its note with what it was drawn.
std::vector<PictureGrid> grids_of(const std::vector<DrawnRow>& rows, const std::string& title);

// Under the names of sd-scripts' sample prompts: prompt, negative_prompt, width, …, and the scales.
PngTexts texts_of(const DrawingRow& row);

}  // namespace leco
