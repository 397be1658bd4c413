#include "picture/picture_grid.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "picture/label.h"

namespace leco {
namespace {

constexpr Colour kFrame = {0xd4, 0xd4, 0xd4};
constexpr Colour kGrey = {0x6a, 0x6a, 0x6a};

// Everything that is measured in pixels follows from the size of a picture and of the letters.
struct Measures {
  int64_t factor;         // of enlargement
  int64_t width, height;  // of an enlarged picture
  double letter;
  int64_t gap, margin;  // between pictures; around everything

  explicit Measures(const Picture& picture)
      : factor((kLeastSide - 1) / std::min(picture.width, picture.height) + 1),
        width(factor * picture.width),
        height(factor * picture.height),
        letter(std::clamp(std::round(static_cast<double>(std::min(width, height)) / 28), 13.0, 64.0)),
        gap(std::lround(letter * 0.6)),
        margin(std::lround(letter * 1.5)) {}

  LabelStyle title(int64_t across) const {
    return {.pixels = 1.3 * letter, .bold = true, .width = across, .height = std::lround(5 * letter)};
  }
  LabelStyle note(int64_t across) const {
    return {.pixels = 0.9 * letter, .colour = kGrey, .width = across, .height = std::lround(5 * letter)};
  }
  LabelStyle column() const { return {.pixels = letter, .bold = true, .width = width, .height = 1}; }
  LabelStyle row() const { return {.pixels = letter, .width = std::lround(13 * letter), .height = height}; }
};

void check(const PictureGrid& grid) {
  LECO_ASSERT(!grid.rows.empty() && !grid.columns.empty());
  const Picture& first = grid.rows[0].pictures.at(0);
  LECO_ASSERT(first.width > 0 && first.height > 0);
  for (const GridRow& row : grid.rows) {
    LECO_ASSERT(row.pictures.size() == grid.columns.size());
    for (const Picture& picture : row.pictures)
      LECO_ASSERT(picture.width == first.width && picture.height == first.height);
  }
}

int64_t most(const std::vector<Picture>& labels, int64_t Picture::*side) {
  int64_t found = 0;
  for (const Picture& label : labels) found = std::max(found, label.*side);
  return found;
}

}  // namespace

Picture draw_grid(const PictureGrid& grid) {
  check(grid);
  const Measures measures(grid.rows[0].pictures[0]);
  const auto [factor, width, height, letter, gap, margin] = measures;
  std::vector<Picture> row_labels, column_labels;
  for (const GridRow& row : grid.rows) row_labels.push_back(draw_label(row.label, measures.row()));
  for (const std::string& column : grid.columns)
    column_labels.push_back(draw_label(column, measures.column()));

  const int64_t labels_across = most(row_labels, &Picture::width);
  const int64_t left = margin + labels_across + (labels_across > 0 ? 2 * gap : 0);
  const int64_t right = left + std::ssize(grid.columns) * (width + gap) - gap;
  const Picture title = draw_label(grid.title, measures.title(right - margin));
  const Picture note = draw_label(grid.note, measures.note(right - margin));
  int64_t top = margin;
  const auto below = [&](int64_t down, int64_t space) {
    return std::exchange(top, top + (down > 0 ? down + space : 0));
  };
  const int64_t title_top = below(title.height, gap);
  const int64_t note_top = below(note.height, gap + gap / 2);
  const int64_t columns_top = below(most(column_labels, &Picture::height), gap / 2);

  Picture sheet(right + margin, top + std::ssize(grid.rows) * (height + gap) - gap + margin);
  sheet.paste(title, margin, title_top);
  sheet.paste(note, margin, note_top);
  for (int64_t j = 0; j < std::ssize(grid.columns); ++j)
    sheet.paste(column_labels[j], left + j * (width + gap) + (width - column_labels[j].width) / 2,
                columns_top);
  for (int64_t i = 0; i < std::ssize(grid.rows); ++i) {
    const int64_t row_top = top + i * (height + gap);
    sheet.paste(row_labels[i], margin, row_top + std::max<int64_t>(0, height - row_labels[i].height) / 2);
    for (int64_t j = 0; j < std::ssize(grid.columns); ++j) {
      const int64_t column_left = left + j * (width + gap);
      sheet.fill(column_left - 1, row_top - 1, width + 2, height + 2, kFrame);
      sheet.paste(enlarge(grid.rows[i].pictures[j], factor), column_left, row_top);
    }
  }
  return sheet;
}

}  // namespace leco
