// Text and bytes on their way into an HTML page.
#pragma once

#include <string>
#include <string_view>

namespace leco {

// UTF-8 text, for elements and for attributes in double quotes. Control characters but line breaks and tabs,
// which HTML does not allow, become U+FFFD.
std::string html_escape(std::string_view text);

std::string base64(std::string_view bytes);  // RFC 4648, padded

// Three significant digits, a true minus sign: "−0.5", "12.3", "0".
std::string html_number(double value);

}  // namespace leco
