#include "picture/picture_grid.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "picture/label.h"
#include "tests/support/test_pictures.h"

namespace leco {
namespace {

PictureGrid grid_of(int64_t rows, int64_t columns, int64_t side) {
  PictureGrid grid{.title = "size", .note = "toy-sd, ddim, 30 steps"};
  for (int64_t j = 0; j < columns; ++j)
    grid.columns.push_back(scale_label(static_cast<double>(j - columns / 2)));
  for (int64_t i = 0; i < rows; ++i) {
    grid.rows.push_back({"prompt " + std::to_string(i), {}});
    for (int64_t j = 0; j < columns; ++j)
      grid.rows[i].pictures.push_back(shaded(side, side, i * columns + j));
  }
  return grid;
}

bool holds(const Picture& sheet, const Picture& part, int64_t left, int64_t top) {
  for (int64_t y = 0; y < part.height; ++y)
    if (!std::ranges::equal(sheet.row(top + y).subspan(3 * left, 3 * part.width), part.row(y))) return false;
  return true;
}

// Where `part` stands in the sheet; (−1, −1) if it does not.
std::pair<int64_t, int64_t> find(const Picture& sheet, const Picture& part) {
  for (int64_t y = 0; y + part.height <= sheet.height; ++y)
    for (int64_t x = 0; x + part.width <= sheet.width; ++x)
      if (holds(sheet, part, x, y)) return {x, y};
  return {-1, -1};
}

TEST(PictureGrids, every_picture_is_there_pixel_by_pixel_in_its_row_and_column) {
  const PictureGrid grid = grid_of(2, 3, 200);
  const Picture sheet = draw_grid(grid);
  std::vector<std::pair<int64_t, int64_t>> places;
  for (const GridRow& row : grid.rows)
    for (const Picture& picture : row.pictures) places.push_back(find(sheet, picture));
  for (const auto& place : places) ASSERT_GE(place.first, 0);
  for (int j = 0; j < 3; ++j) EXPECT_EQ(places[j].first, places[3 + j].first);
  for (int i = 0; i < 2; ++i) EXPECT_EQ(places[3 * i].second, places[3 * i + 2].second);
  EXPECT_GE(places[1].first, places[0].first + 200);
  EXPECT_GE(places[3].second, places[0].second + 200);
}

TEST(PictureGrids, small_pictures_are_enlarged_by_a_whole_factor) {
  const PictureGrid grid = grid_of(1, 1, 64);
  EXPECT_GE(find(draw_grid(grid), enlarge(grid.rows[0].pictures[0], 3)).first, 0);
  const PictureGrid fits = grid_of(1, 1, 192);
  EXPECT_GE(find(draw_grid(fits), fits.rows[0].pictures[0]).first, 0);
}

TEST(PictureGrids, without_labels_there_is_only_a_margin) {
  PictureGrid grid = grid_of(1, 2, 200);
  const Picture labelled = draw_grid(grid);
  grid.title = grid.note = grid.rows[0].label = grid.columns[0] = grid.columns[1] = "";
  const Picture bare = draw_grid(grid);
  EXPECT_LT(bare.width, labelled.width);
  EXPECT_LT(bare.height, labelled.height);
  EXPECT_EQ(find(bare, grid.rows[0].pictures[0]).first, find(bare, grid.rows[0].pictures[0]).second);
}

TEST(PictureGrids, a_long_label_does_not_make_the_grid_larger) {
  PictureGrid grid = grid_of(1, 1, 200);
  grid.rows[0].label = grid.columns[0] = std::string(40, 'w');
  const Picture one = draw_grid(grid);
  grid.rows[0].label = grid.columns[0] = std::string(4000, 'w');
  const Picture other = draw_grid(grid);
  EXPECT_NEAR(static_cast<double>(one.width), static_cast<double>(other.width), 13);
  EXPECT_EQ(one.height, other.height);
}

TEST(PictureGrids, pictures_of_different_size_are_a_bug_of_the_caller) {
  PictureGrid grid = grid_of(1, 2, 64);
  grid.rows[0].pictures[1] = shaded(64, 72);
  EXPECT_THROW(draw_grid(grid), Error);
  grid.rows[0].pictures.pop_back();
  EXPECT_THROW(draw_grid(grid), Error);
}

TEST(Labels, stay_within_their_box_and_long_ones_end_early) {
  const LabelStyle style{.pixels = 13, .width = 150, .height = 40};
  const Picture short_one = draw_label("a cat", style);
  const Picture long_one = draw_label(std::string(5000, 'x'), style);
  EXPECT_GT(short_one.width, 10);
  EXPECT_LT(short_one.width, 80);
  EXPECT_LE(long_one.width, 150);
  EXPECT_LE(long_one.height, 40);
  EXPECT_GT(long_one.height, short_one.height);
}

TEST(Labels, of_any_bytes_are_drawn) {
  const LabelStyle style;
  for (const char* text :
       {"Пушкин", "女性, 長い髪", "امرأة", "\xff\xfe bytes", "line\nbreak\ttab", "👩 emoji"}) {
    const Picture label = draw_label(text, style);
    EXPECT_GT(label.width, 5) << text;
    EXPECT_LT(*std::ranges::min_element(label.rgb), 128) << text;
  }
  EXPECT_EQ(draw_label(" \n", style), Picture());
  EXPECT_EQ(draw_label("same", style), draw_label("same", style));
}

TEST(Labels, of_scales_have_a_sign_and_no_idle_digits) {
  EXPECT_EQ(scale_label(0), "0");
  EXPECT_EQ(scale_label(-0.0), "0");
  EXPECT_EQ(scale_label(2), "+2");
  EXPECT_EQ(scale_label(-0.5), "\u22120.5");
}

}  // namespace
}  // namespace leco
