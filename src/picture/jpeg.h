// Pictures as JPEG: many small ones in a page, where PNG would take five times the bytes.
#pragma once

#include <string>

#include "picture/picture.h"

namespace leco {

// The whole file: baseline, colours at half the resolution, without metadata. `quality` 1 … 100 as libjpeg
// means it. Equal pictures give equal bytes with one version of libjpeg.
std::string encode_jpeg(const Picture& picture, int quality);

}  // namespace leco
