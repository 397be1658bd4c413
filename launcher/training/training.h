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
  int stopped_by = 0;              // with the state saved: a signal, or kMoreRanks; 0: it is finished
  std::vector<std::string> files;  // on rank 0: LoRA files that are there, and the growth of the previews
  double loss = std::numeric_limits<double>::quiet_NaN();  // of the last step, on rank 0; NaN: not known
};

// Collective. Usage errors are thrown on every rank, before anything is written but the output folder.
// `parts` are of the model that the settings name. A rank where `stop` gives a signal, or kMoreRanks, asks
// all to stop; it is called at the start, in each step and between the pictures of previews, with the steps
// that will be finished by then, and a signal once given stays.
using StopRequest = std::function<int(int64_t finished_steps)>;
TrainingOutcome run_training(const ParsedTrain& parsed, World& world, FileSource& files, ModelParts& parts,
                             const StopRequest& stop);

}  // namespace leco
