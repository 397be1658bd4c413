// Settings that say nothing beside the others.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"

namespace leco {

// A line for each setting of the loss and the noise that was changed and has no effect beside the others.
std::vector<std::string> idle_loss_settings(const TrainSettings& settings);

// The same for event files and previews.
std::vector<std::string> idle_report_settings(const TrainSettings& settings);

}  // namespace leco
