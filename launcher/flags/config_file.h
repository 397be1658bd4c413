// Flags from a TOML file (--config_file).
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/config_node.h"
#include "core/read_file.h"
#include "launcher/flags/flag_parser.h"

namespace leco {

// Reads `path`, to which ".toml" is added where it does not end so (as sd-scripts does), once and through
// `read`. Keys are flag names; sections only group them. A switch takes a boolean, a list flag a list of
// strings. Usage errors name file, line and key: unknown keys (with the nearest), wrong types, a key that is
// set twice, a file inside a file.
std::vector<Given> read_config_file(const std::string& path, std::span<const Flag> table,
                                    const ReadFile& read);

// One entry of a file of flags, as read_config_file takes it. The same usage errors.
Given given_by(const ConfigEntry& entry, const std::string& path, std::span<const Flag> table);

// With ".toml" where the name does not end so.
std::string config_path_of(const std::string& path);

// The text of a file that gives the same flags, in the order of the table; what has been applied to it
// already. Commands to the program and secrets are left out. Integers above TOML's largest, which only a seed
// can be, stand in quotes.
std::string config_file_text(std::span<const Flag> table, std::span<const Given> given);

}  // namespace leco
