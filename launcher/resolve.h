// Decides, once and alike on all ranks, whatever the user left open, and finds out early what cannot work.
#pragma once

#include <torch/types.h>

#include <memory>
#include <string>

#include "comm/world.h"
#include "config/settings.h"
#include "io/claim_file.h"
#include "launcher/flags/flag_table.h"

namespace leco {

// The device of this rank. Usage error when some ranks have a GPU and others have none. Collective.
torch::Device device_of_rank(DeviceChoice choice, World& world);

// Fills seed, threads, N and device, so that they are shown and stored. Collective.
void resolve(TrainSettings& settings, World& world, torch::Device device);

// Makes a folder to write to. Usage error that names the flag when that cannot be. One rank does it.
void prepare_folder(const std::string& flag, const std::string& path);

// Makes the output folder. Usage error when the run's files cannot be written there: found out before minutes
// of loading, not after hours of training.
void prepare_output_folder(const TrainSettings& settings);

log::Console console_of(const TrainSettings& settings);

// Writes a file of flags (--output_config). Usage error when there is such a file already.
void write_config(const ConfigOutput& output);

// Nobody else may write this output name while the claim lives. Usage error that names who does; a run that
// resumes first waits until a dead owner's claim is stale. One rank calls it.
std::unique_ptr<ClaimFile> claim_output(const TrainSettings& settings);

}  // namespace leco
