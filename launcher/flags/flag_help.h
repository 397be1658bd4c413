// A table of flags as text.
#pragma once

#include <span>
#include <string>

#include "launcher/flags/flag_parser.h"

namespace leco {

// For a terminal: by group, every flag with its value, default, meaning and status; lines of at most 80
// columns. Flags that do not work here come last, those with the same reason together.
std::string flags_as_help(std::span<const Flag> table);

// For docs/: a heading and a Markdown table a group.
std::string flags_as_markdown(std::span<const Flag> table);

}  // namespace leco
