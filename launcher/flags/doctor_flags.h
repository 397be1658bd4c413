// The command line of `leco doctor`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "config/settings.h"
#include "launcher/flags/flag_parser.h"

namespace leco {

struct DoctorFlags {
  TrainSettings run;  // model, output_dir and device of the run that is to follow
  bool json = false;
  bool help = false;
};

// Throws usage errors.
DoctorFlags parse_doctor_flags(std::span<const std::string> arguments);
std::string doctor_help();
std::vector<Flag> listed_doctor_flags();

}  // namespace leco
