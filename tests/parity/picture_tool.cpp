// The C++ side of picture_python_test.py.
//   png OUT WIDTH HEIGHT KEYWORD TEXT …      a picture of shades with texts
//   jpeg OUT WIDTH HEIGHT QUALITY            the same picture
//   gif OUT WIDTH HEIGHT COUNT               that many of them, shifted
//   grid OUT SIDE TITLE NOTE ROWS COLUMNS … first the labels of ROWS rows, then those of the columns
#include <fmt/format.h>

#include <cstdlib>

#include "core/error.h"
#include "io/atomic_file.h"
#include "picture/gif.h"
#include "picture/jpeg.h"
#include "picture/picture_grid.h"
#include "picture/png.h"
#include "tests/support/test_pictures.h"

namespace {

using Words = std::vector<std::string>;

std::string png(const Words& words) {
  leco::PngTexts texts;
  for (size_t i = 4; i + 1 < words.size(); i += 2) texts.emplace_back(words[i], words[i + 1]);
  return encode_png(leco::shaded(std::stol(words.at(2)), std::stol(words.at(3))), texts);
}

std::string jpeg(const Words& words) {
  return encode_jpeg(leco::shaded(std::stol(words.at(2)), std::stol(words.at(3))), std::stoi(words.at(4)));
}

std::string gif(const Words& words) {
  std::vector<leco::Picture> pictures;
  for (long i = 0; i < std::stol(words.at(4)); ++i)
    pictures.push_back(leco::shaded(std::stol(words.at(2)), std::stol(words.at(3)), i));
  return encode_gif(pictures, 0.5);
}

std::string grid(const Words& words) {
  leco::PictureGrid grid{.title = words.at(3), .note = words.at(4)};
  const size_t first_column = 6 + std::stoul(words.at(5));
  grid.columns.assign(words.begin() + static_cast<long>(first_column), words.end());
  const long side = std::stol(words.at(2));
  for (size_t i = 6; i < first_column; ++i) {
    grid.rows.push_back({words[i], {}});
    for (size_t j = 0; j < grid.columns.size(); ++j)
      grid.rows.back().pictures.push_back(
          leco::shaded(side, side, static_cast<long>(grid.columns.size() * i + j)));
  }
  return encode_png(draw_grid(grid));
}

}  // namespace

int main(int argc, char** argv) {
  const Words words(argv + 1, argv + argc);
  const std::string what = words.empty() ? "" : words[0];
  try {
    leco::write_file_atomically(words.at(1), what == "png"    ? png(words)
                                             : what == "jpeg" ? jpeg(words)
                                             : what == "gif"  ? gif(words)
                                                              : grid(words));
  } catch (const std::exception& error) {
    fmt::print(stderr, "{}\n", error.what());
    return 1;
  }
  return 0;
}
