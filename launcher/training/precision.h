// From the settings of precision and speed to how the U-Net computes.
#pragma once

#include <string>
#include <vector>

#include "config/settings.h"
#include "model/weight_scope.h"

namespace leco {

Placement placement_of(const TrainSettings& settings, torch::Device device);

// A line for each setting of precision and speed that does little or nothing on this device.
std::vector<std::string> precision_notices(const TrainSettings& settings, torch::Device device);

}  // namespace leco
