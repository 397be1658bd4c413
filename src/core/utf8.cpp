#include "core/utf8.h"

#include <array>
#include <cstdint>

namespace leco {

bool is_utf8(std::string_view text) {
  while (!text.empty()) {
    const auto lead = static_cast<unsigned char>(text[0]);
    const size_t bytes = lead < 0x80         ? 1
                         : lead >> 5 == 0x6  ? 2
                         : lead >> 4 == 0xe  ? 3
                         : lead >> 3 == 0x1e ? 4
                                             : 0;
    if (bytes == 0 || bytes > text.size()) return false;
    uint32_t code = bytes == 1 ? lead : lead & (0x7f >> bytes);
    for (const char next : text.substr(1, bytes - 1)) {
      if ((next & 0xc0) != 0x80) return false;
      code = code << 6 | (next & 0x3f);
    }
    constexpr std::array<uint32_t, 5> kLeast = {0, 0, 0x80, 0x800, 0x10000};
    if (code < kLeast[bytes] || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) return false;
    text.remove_prefix(bytes);
  }
  return true;
}

}  // namespace leco
