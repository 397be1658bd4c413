// Text without the blanks around it.
#pragma once

#include <string_view>

namespace leco {

inline constexpr std::string_view kBlanks = " \t\r\v\f";

inline std::string_view trimmed(std::string_view text) {
  const size_t begin = text.find_first_not_of(kBlanks);
  if (begin == std::string_view::npos) return {};
  return text.substr(begin, text.find_last_not_of(kBlanks) - begin + 1);
}

}  // namespace leco
