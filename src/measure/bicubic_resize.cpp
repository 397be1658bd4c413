#include "measure/bicubic_resize.h"

#include <ATen/ATen.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int kFractionBits = 22;

double cubic(double x) {
  constexpr double a = -0.5;
  x = std::abs(x);
  if (x < 1) return ((a + 2) * x - (a + 3)) * x * x + 1;
  if (x < 2) return (((x - 5) * x + 8) * x - 4) * a;
  return 0;
}

// What one output pixel takes of the input: weights[i] of pixel first + i.
struct Window {
  int64_t first;
  std::vector<int32_t> weights;
};

std::vector<Window> windows(int64_t from, int64_t to) {
  const double scale = static_cast<double>(from) / static_cast<double>(to);
  const double stretch = std::max(scale, 1.0), reach = 2.0 * stretch;
  std::vector<Window> windows;
  for (int64_t i = 0; i < to; ++i) {
    const double centre = (static_cast<double>(i) + 0.5) * scale;
    const int64_t first = std::max<int64_t>(static_cast<int64_t>(centre - reach + 0.5), 0);
    const int64_t end = std::min(static_cast<int64_t>(centre + reach + 0.5), from);
    std::vector<double> weights;
    double sum = 0;
    for (int64_t x = first; x < end; ++x) {
      weights.push_back(cubic((static_cast<double>(x) - centre + 0.5) * (1.0 / stretch)));
      sum += weights.back();
    }
    Window window{first, {}};
    for (const double weight : weights) {
      const double fixed = (sum == 0 ? weight : weight / sum) * (1 << kFractionBits);
      window.weights.push_back(static_cast<int32_t>(fixed + (fixed < 0 ? -0.5 : 0.5)));
    }
    windows.push_back(std::move(window));
  }
  return windows;
}

// Along the middle axis: (lines, from, inner) → (lines, to, inner).
Tensor resize_axis(const Tensor& picture, int64_t to) {
  const int64_t lines = picture.size(0), from = picture.size(1), inner = picture.size(2);
  if (from == to) return picture;
  const std::vector<Window> all = windows(from, to);
  Tensor resized = at::empty({lines, to, inner}, torch::kUInt8);
  const uint8_t* in = picture.const_data_ptr<uint8_t>();
  uint8_t* out = resized.data_ptr<uint8_t>();
  for (int64_t line = 0; line < lines; ++line) {
    for (int64_t i = 0; i < to; ++i) {
      const auto& [first, weights] = all[i];
      for (int64_t c = 0; c < inner; ++c) {
        int32_t sum = 1 << (kFractionBits - 1);
        for (int64_t x = 0; x < std::ssize(weights); ++x)
          sum += in[(line * from + first + x) * inner + c] * weights[x];
        out[(line * to + i) * inner + c] = static_cast<uint8_t>(std::clamp(sum >> kFractionBits, 0, 255));
      }
    }
  }
  return resized;
}

}  // namespace

Tensor resize_bicubic(const Tensor& picture, int64_t height, int64_t width) {
  LECO_ASSERT(picture.dim() == 3 && picture.size(2) == 3 && picture.scalar_type() == torch::kUInt8);
  const Tensor rows = resize_axis(picture.contiguous(), width);       // (H, width, 3)
  const Tensor columns = rows.reshape({1, rows.size(0), width * 3});  // a pixel column is one value
  return resize_axis(columns, height).reshape({height, width, 3});
}

}  // namespace leco
