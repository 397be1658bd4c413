// True colours to at most 256 of them, for GIF.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "picture/picture.h"

namespace leco {

// One palette for all pictures: median cut (Heckbert, "Color image quantization for frame buffer display",
// SIGGRAPH 1982) over bins of five bits a colour. A bin of one colour keeps it exactly. 1 … 256 entries;
// equal pictures give equal palettes.
std::vector<Colour> choose_palette(std::span<const Picture> pictures);

// The index of an entry for each pixel, row-major. A pixel whose colour is in the palette gets it; what the
// others are off is passed on to their neighbours (Floyd and Steinberg's weights), so that shades of
// photographs do not turn into bands and plain areas stay plain.
std::vector<uint8_t> map_to_palette(const Picture& picture, std::span<const Colour> palette);

}  // namespace leco
