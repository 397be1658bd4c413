// Pictures side by side: a row for each prompt, a column for each scale, labelled so that the file explains
// itself.
#pragma once

#include <string>
#include <vector>

#include "picture/picture.h"

namespace leco {

struct GridRow {
  std::string label;
  std::vector<Picture> pictures;  // one a column
};

struct PictureGrid {
  std::string title = {};                 // may be empty, as any label
  std::string note = {};                  // small, below the title: with what it was drawn
  std::vector<std::string> columns = {};  // their labels: see scale_label()
  std::vector<GridRow> rows = {};         // all pictures of one size
};

// Pictures narrower or lower than kLeastSide pixels are enlarged by a whole factor, so that labels fit;
// otherwise they come as they are, pixel by pixel. The size of the letters follows the pictures'.
Picture draw_grid(const PictureGrid& grid);

inline constexpr int64_t kLeastSide = 192;

}  // namespace leco
