// Pictures that tests draw on: no two pixels near each other are equal.
#pragma once

#include "picture/picture.h"

namespace leco {

// Shades over x, y and their sum; `phase` shifts them.
inline Picture shaded(int64_t width, int64_t height, int64_t phase = 0) {
  Picture picture(width, height);
  for (int64_t y = 0; y < height; ++y)
    for (int64_t x = 0; x < width; ++x)
      picture.fill(x, y, 1, 1,
                   {uint8_t(255 * x / width), uint8_t(255 * y / height), uint8_t(16 * phase + x + y)});
  return picture;
}

}  // namespace leco
