// Pictures of 8 bits a colour: what the files PNG and GIF hold.
#pragma once

#include <torch/types.h>

#include <cstdint>
#include <span>
#include <vector>

namespace leco {

using Colour = std::array<uint8_t, 3>;  // red, green, blue
inline constexpr Colour kWhite = {255, 255, 255};

struct Picture {
  Picture() = default;
  Picture(int64_t width_, int64_t height_, Colour colour = kWhite);

  int64_t width = 0, height = 0;
  std::vector<uint8_t> rgb;  // row-major, three bytes a pixel

  bool operator==(const Picture&) const = default;
  std::span<const uint8_t> row(int64_t y) const { return {rgb.data() + 3 * y * width, size_t(3 * width)}; }
  void paste(const Picture& other, int64_t left, int64_t top);                        // which must lie inside
  void fill(int64_t left, int64_t top, int64_t across, int64_t down, Colour colour);  // likewise
};

// (3, H, W) of any float type on any device, −1 black and 1 white as the VAE gives it; what lies outside is
// clipped. Rounded as diffusers' VaeImageProcessor does: round((x/2 + 0.5)·255), half to even.
Picture to_picture(const torch::Tensor& image);

// Each square of factor × factor becomes its mean; what is left over at the right and the bottom is cut off.
Picture shrink(const Picture& picture, int64_t factor);

// One below the other, on white.
Picture stack(const std::vector<Picture>& pictures);

// Each pixel becomes a square of factor × factor.
Picture enlarge(const Picture& picture, int64_t factor);

}  // namespace leco
