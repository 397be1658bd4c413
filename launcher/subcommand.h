// The subcommands: one table for the dispatch, the help and the shell's completion.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "comm/world.h"
#include "core/error.h"
#include "launcher/flags/flag_parser.h"

namespace leco {

struct Subcommand {
  std::string name;
  std::string operands;  // what stands behind the name, for the help: "FILE"
  std::string summary;   // a line of at most 60 characters
  // Gets the words after the name and the world, and returns the exit status.
  ExitStatus (*run)(World& world, std::span<const std::string> arguments);
  std::string (*help)();
  std::vector<Flag> (*flags)();  // bound to settings that nobody reads
};

const std::vector<Subcommand>& subcommands();
// Throws a usage error with the nearest name.
const Subcommand& find_subcommand(const std::string& name);

ExitStatus completion_command(World& world, std::span<const std::string> arguments);
ExitStatus doctor_command(World& world, std::span<const std::string> arguments);
ExitStatus evaluate_command(World& world, std::span<const std::string> arguments);
ExitStatus help_command(World& world, std::span<const std::string> arguments);
ExitStatus inspect_command(World& world, std::span<const std::string> arguments);
ExitStatus plan_command(World& world, std::span<const std::string> arguments);
ExitStatus sample_command(World& world, std::span<const std::string> arguments);
ExitStatus sweep_command(World& world, std::span<const std::string> arguments);
ExitStatus train_command(World& world, std::span<const std::string> arguments);

// Prints the text once, however many ranks there are.
ExitStatus show(const World& world, const std::string& text);

std::string completion_help();
std::string program_help();  // what `leco --help` prints
std::string version_text();  // what `leco --version` prints

}  // namespace leco
