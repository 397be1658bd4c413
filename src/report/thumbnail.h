// A grid of pictures in few bytes, for a page that shows hundreds of them.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "picture/picture.h"

namespace leco {

inline constexpr const char* kThumbnailName = "thumbnail.jpg";
inline constexpr size_t kMostThumbnailBytes = 16'384;

// A JPEG of at most kMostThumbnailBytes: a line for each of the first rows, a column for each of its
// pictures, unlabelled. A picture of another size than the first is left white; one row of one at least.
std::string thumbnail_of(const std::vector<std::vector<Picture>>& rows);

}  // namespace leco
