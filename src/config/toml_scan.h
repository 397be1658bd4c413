// A look at TOML text before it is parsed. toml++ 3.3 recurses once for every part of a dotted key, so a
// hostile key of 170 KB ends the process instead of throwing.
#pragma once

#include <string>
#include <string_view>

namespace leco {

// Throws a usage error when the text is longer or deeper than config_node.h allows (a dotted key counts by
// its parts). Whether it is TOML at all is left to the parser.
void check_toml_limits(const std::string& path, std::string_view text);

}  // namespace leco
