#include "report/drawn_row.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <utility>

#include "core/version.h"
#include "picture/label.h"

namespace leco {
namespace {

std::string note_of(const DrawingRow& row) {
  return fmt::format("{}, {} steps, guidance {:g}, seed {}, {} × {}", sampler_name(row.sampler), row.steps,
                     row.guidance, row.seed, row.width, row.height);
}

}  // namespace

PictureGrid grid_of(const DrawingRow& row, std::vector<Picture> pictures, const std::string& title) {
  PictureGrid grid{.title = title, .note = note_of(row), .rows = {{row.prompt, std::move(pictures)}}};
  for (const double scale : row.scales) grid.columns.push_back(scale_label(scale));
  return grid;
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
