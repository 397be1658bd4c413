// One training from its settings to its files, on all ranks of a world.
#pragma once

#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "comm/world.h"
#include "io/file_source.h"
#include "launcher/flags/flag_table.h"
#include "launcher/model/model_parts.h"

namespace leco {

struct TrainingOutcome {
  bool stopped = false;            // by a signal, with the state saved
  std::vector<std::string> files;  // on rank 0: LoRA files that are there, and the growth of the previews
  double loss = std::numeric_limits<double>::quiet_NaN();  // of the last step; NaN where none was left to do
};

// Collective. Usage errors are thrown on every rank, before anything is written but the output folder.
// `parts` are of the model that the settings name. A rank where `stop` gives a signal asks all to stop.
using StopRequest = std::function<int()>;
TrainingOutcome run_training(const ParsedTrain& parsed, World& world, FileSource& files, ModelParts& parts,
                             const StopRequest& stop);

}  // namespace leco
