#include "picture/picture.h"

#include <algorithm>
#include <cstring>

#include "core/error.h"

namespace leco {

Picture::Picture(int64_t width_, int64_t height_, Colour colour)
    : width(width_), height(height_), rgb(3 * width_ * height_) {
  fill(0, 0, width, height, colour);
}

void Picture::paste(const Picture& other, int64_t left, int64_t top) {
  LECO_ASSERT(left >= 0 && top >= 0 && left + other.width <= width && top + other.height <= height);
  for (int64_t y = 0; y < other.height; ++y)
    std::ranges::copy(other.row(y), rgb.begin() + 3 * ((top + y) * width + left));
}

void Picture::fill(int64_t left, int64_t top, int64_t across, int64_t down, Colour colour) {
  LECO_ASSERT(left >= 0 && top >= 0 && left + across <= width && top + down <= height);
  for (int64_t y = top; y < top + down; ++y)
    for (int64_t x = left; x < left + across; ++x)
      std::ranges::copy(colour, rgb.begin() + 3 * (y * width + x));
}

Picture to_picture(const torch::Tensor& image) {
  LECO_ASSERT(image.dim() == 3 && image.size(0) == 3);
  const torch::Tensor unit = image.detach().to(torch::kCPU, torch::kFloat32).div(2).add(0.5).clamp(0, 1);
  const torch::Tensor bytes = unit.mul(255).round().to(torch::kUInt8).permute({1, 2, 0}).contiguous();
  Picture picture(image.size(2), image.size(1));
  std::memcpy(picture.rgb.data(), bytes.const_data_ptr(), picture.rgb.size());
  return picture;
}

Picture shrink(const Picture& picture, int64_t factor) {
  Picture small(picture.width / factor, picture.height / factor);
  const int64_t area = factor * factor;
  for (int64_t y = 0; y < small.height; ++y)
    for (int64_t place = 0; place < 3 * small.width; ++place) {
      int64_t sum = area / 2;  // rounds to the nearest
      for (int64_t down = 0; down < factor; ++down)
        for (int64_t across = 0; across < factor; ++across)
          sum += picture.row(y * factor + down)[3 * (place / 3 * factor + across) + place % 3];
      small.rgb[3 * y * small.width + place] = static_cast<uint8_t>(sum / area);
    }
  return small;
}

Picture stack(const std::vector<Picture>& pictures) {
  int64_t width = 0, height = 0;
  for (const Picture& picture : pictures) width = std::max(width, picture.width), height += picture.height;
  Picture whole(width, height);
  int64_t top = 0;
  for (const Picture& picture : pictures) {
    whole.paste(picture, 0, top);
    top += picture.height;
  }
  return whole;
}

Picture enlarge(const Picture& picture, int64_t factor) {
  Picture large(picture.width * factor, picture.height * factor);
  for (int64_t y = 0; y < large.height; ++y) {
    const auto from = picture.row(y / factor);
    for (int64_t x = 0; x < large.width; ++x)
      std::ranges::copy(from.subspan(3 * (x / factor), 3), large.rgb.begin() + 3 * (y * large.width + x));
  }
  return large;
}

}  // namespace leco
