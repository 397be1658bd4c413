// A row that was drawn, as a grid that explains itself and as the texts of its PNG file.
#pragma once

#include <string>
#include <vector>

#include "picture/picture_grid.h"
#include "picture/png.h"
#include "sample/drawing.h"

namespace leco {

// A picture for each of the row's scales, the title over them. The note says with what they were drawn.
PictureGrid grid_of(const DrawingRow& row, std::vector<Picture> pictures, const std::string& title);

// Under the names of sd-scripts' sample prompts: prompt, negative_prompt, width, …, and the scales.
PngTexts texts_of(const DrawingRow& row);

}  // namespace leco
