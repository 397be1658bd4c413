// The command line of `leco inspect`.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "launcher/flags/flag_parser.h"

namespace leco {

struct InspectFlags {
  std::string path;  // what is to be shown: a file, a folder, a hub id
  bool json = false;
  bool v2 = false, v_parameterization = false;  // the user's claims of a model
  std::string config;                           // the folder for the files of the run; empty: none are wanted
  std::string model, network_weights, tokenizers;  // with `config`; each may be empty
  bool help = false;
};

// Throws usage errors.
InspectFlags parse_inspect_flags(std::span<const std::string> arguments);
std::string inspect_help();
std::vector<Flag> listed_inspect_flags();

}  // namespace leco
