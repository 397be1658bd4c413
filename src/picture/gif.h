// Pictures after each other as an animated GIF.
#pragma once

#include <string>
#include <vector>

#include "picture/picture.h"

namespace leco {

// The whole file: all pictures of one size and 65535 pixels a side at most, repeated without end, each shown
// for `seconds`, the last three times as long. All share one palette of 256 colours. Equal pictures give
// equal bytes.
std::string encode_gif(const std::vector<Picture>& pictures, double seconds);

}  // namespace leco
