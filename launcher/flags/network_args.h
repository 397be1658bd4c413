// --network_args NAME=VALUE …: how the words become config/network_args.h.
#pragma once

#include "config/settings.h"
#include "launcher/flags/flag_parser.h"

namespace leco {

// Fills settings.network_args, and network_dropout where `dropout=` is among the words. As everywhere, the
// last given list replaces the whole of an earlier one. Usage error for an unknown name (with the nearest), a
// value outside its range, and words that contradict each other.
Form network_args_form(TrainSettings& settings);

// What contradicts other flags; usage error.
void validate_network(const TrainSettings& settings);

// What has no effect beside other flags, a line each.
std::vector<std::string> network_notices(const TrainSettings& settings);

}  // namespace leco
