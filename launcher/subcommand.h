// The subcommands. Each is given the words after its name and the world, and returns the exit status.
#pragma once

#include <span>
#include <string>

#include "comm/world.h"
#include "core/error.h"

namespace leco {

ExitStatus inspect_command(World& world, std::span<const std::string> arguments);
ExitStatus plan_command(World& world, std::span<const std::string> arguments);
ExitStatus sample_command(World& world, std::span<const std::string> arguments);
ExitStatus train_command(World& world, std::span<const std::string> arguments);

std::string program_help();  // what `leco --help` prints
std::string version_text();  // what `leco --version` prints

}  // namespace leco
