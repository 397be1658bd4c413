// How the program's HTML pages look. A page is one file that asks no network for anything.
#pragma once

#include <string>
#include <string_view>

namespace leco {

// The whole document: head with the style, and `body` as it is, inside <main>.
std::string html_page(std::string_view title, std::string_view body);

}  // namespace leco
