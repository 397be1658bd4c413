#include "report/drawn_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/version.h"
#include "picture/label.h"

namespace leco {
namespace {

std::string note_of(const DrawingRow& row) {
  return fmt::format("{}, {} steps, guidance {:g}, seed {}, {} × {}", sampler_name(row.sampler), row.steps,
                     row.guidance, row.seed, row.width, row.height);
}

// One grid, one line of columns, one note.
bool fit_together(const DrawingRow& a, const DrawingRow& b) {
  return a.scales == b.scales && note_of(a) == note_of(b);
}

}  // namespace

std::vector<PictureGrid> grids_of(const std::vector<DrawnRow>& rows, const std::string& title) {
  std::vector<PictureGrid> grids;
  for (size_t i = 0; i < rows.size(); ++i) {
    const DrawingRow& row = rows[i].row;
    if (i == 0 || !fit_together(row, rows[i - 1].row)) {
      PictureGrid& grid = grids.emplace_back();
      grid.title = i == 0 ? title : "";
      grid.note = note_of(row);
      for (const double scale : row.scales) grid.columns.push_back(scale_label(scale));
    }
    grids.back().rows.push_back({row.prompt, rows[i].pictures});
  }
  return grids;
}

PngTexts texts_of(const DrawingRow& row) {
  return {{"prompt", row.prompt},
          {"negative_prompt", row.negative},
          {"width", fmt::format("{}", row.width)},
          {"height", fmt::format("{}", row.height)},
          {"seed", fmt::format("{}", row.seed)},
          {"sample_steps", fmt::format("{}", row.steps)},
          {"sample_sampler", sampler_name(row.sampler)},
          {"scale", fmt::format("{:g}", row.guidance)},
          {"multiplier", fmt::format("{:g}", fmt::join(row.scales, ","))},
          {"Software", fmt::format("leco {}", kVersion)}};
}

}  // namespace leco
