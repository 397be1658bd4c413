// What `leco sample` draws: rows, and the grids that they go to.
#pragma once

#include <string>
#include <vector>

#include "core/read_file.h"
#include "launcher/flags/sample_flags.h"
#include "sample/drawing.h"

namespace leco {

struct SampleRow {
  DrawingRow drawing;
  std::string label;  // the prompt, and where it differs from the flags with what it is drawn
};

// Rows in the order of prompts and images, of --prompt or of --sample_prompts. The item, and with it the
// noise, is the row's place; a line's own seed replaces the key only. `settings` has a height and a width.
// Usage error for what a line asks and cannot be drawn.
std::vector<SampleRow> rows_of(const SampleSettings& settings, const ReadFile& read);

// Rows by grid: those of one size and with the same columns go together.
std::vector<std::vector<size_t>> grids_of(const std::vector<SampleRow>& rows);

// "F.png" for one grid, else "F-1.png", "F-2.png", …
std::string grid_path(const std::string& output, size_t grid, size_t grids);

}  // namespace leco
