// TOML text, parsed by toml++.
#pragma once

#include <string>
#include <string_view>

#include "config/config_node.h"

namespace leco {

// Checks the limits of toml_scan.h, then parses. Gives a table. `path` is for messages only. Throws a usage
// error that names the line.
ConfigNode parse_toml(const std::string& path, std::string_view text);

}  // namespace leco
