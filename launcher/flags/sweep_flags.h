// The command line of `leco sweep`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "launcher/flags/flag_parser.h"

namespace leco {

struct SweepFlags {
  std::string spec;  // the sweep's file
  bool dry_run = false;
  std::optional<int64_t> ranks = {};  // that it is for; absent: those that were started
  bool status = false;
  bool report = false;
  bool help = false;
};

// Throws usage errors.
SweepFlags parse_sweep_flags(std::span<const std::string> arguments);
std::string sweep_help();
std::vector<Flag> listed_sweep_flags();

}  // namespace leco
