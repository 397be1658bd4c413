// Pictures as PNG. Equal pictures and texts give equal bytes: no date is written.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "picture/picture.h"

namespace leco {

// Keyword → text, shown by every viewer of picture properties. A keyword is 1 … 79 ASCII characters. A text
// is UTF-8 without NUL; it becomes a tEXt chunk where it is ASCII, else iTXt.
using PngTexts = std::vector<std::pair<std::string, std::string>>;

// The whole file, 8-bit RGB. To be written with write_file_atomically().
std::string encode_png(const Picture& picture, const PngTexts& texts = {});

// The picture in a whole file, of whatever kind, as 8-bit RGB. Throws Error where it is none, or has more
// than 2²⁸ pixels.
Picture decode_png(std::string_view file);

}  // namespace leco
