// Text as a picture, for labels: shaped and, where a font lacks a character, completed from others by Pango.
#pragma once

#include <string>

#include "picture/picture.h"

namespace leco {

struct LabelStyle {
  double pixels = 13;  // size of the font
  bool bold = false;
  Colour colour = {0x20, 0x20, 0x20};
  int64_t width = 200;  // what is longer goes on in the next line
  int64_t height = 20;  // what needs more ends in "…"; one line is drawn in any case
};

// Black on white, as small as the text allows. Line breaks and other control characters become spaces; bytes
// that are no UTF-8 show as such. Empty (0 × 0) for an empty text, and where the system has no font, which is
// said once.
Picture draw_label(const std::string& text, const LabelStyle& style);

// "−0.5", "0", "+2".
std::string scale_label(double scale);

}  // namespace leco
