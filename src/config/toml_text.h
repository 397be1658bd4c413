// Values as TOML text, for files that the program writes.
#pragma once

#include <string>
#include <string_view>

namespace leco {

std::string toml_string(std::string_view text);  // in quotes; control characters as \u escapes
std::string toml_number(double value);           // the shortest that reads back as the same double

}  // namespace leco
