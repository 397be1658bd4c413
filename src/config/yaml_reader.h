// YAML text, parsed by yaml-cpp.
#pragma once

#include <string>
#include <string_view>

#include "config/config_node.h"

namespace leco {

// Words without quotes become what YAML's core schema makes of them (null, true, integers, numbers), and
// yes, no, on and off are flags, as for the Python programs whose files these are. Aliases are replaced by
// copies of what they name.
// Throws a usage error that names the line: what is not YAML or UTF-8; more than one document; a key that
// stands twice in one table, or is no plain word; tags other than YAML's own types; aliases inside of what
// they name; lists and tables deeper than kMaxConfigDepth, and more than kMaxYamlNodes values, copies
// included (a file of 400 bytes can stand for 10⁹ of them). `path` is for messages only.
ConfigNode parse_yaml(const std::string& path, std::string_view text);

constexpr int64_t kMaxYamlNodes = 100'000;

}  // namespace leco
