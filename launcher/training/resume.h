// Going on from a state: which one, whether the run is the same, and what it fixes.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/world.h"
#include "io/file_source.h"
#include "train/lora_output.h"
#include "train/run_state.h"

namespace leco {

struct Resumption {
  std::string folder;
  StateRecord record;
};

// What --resume names. Nothing where it is not given (a notice then names the state that it leaves behind),
// or is `auto` and there is no state yet. Usage error for a folder that is no complete state. Collective;
// adds to `notices` on every rank alike.
std::optional<Resumption> find_resumption(const TrainSettings& settings, World& world, FileSource& files,
                                          std::vector<std::string>& notices);

// What a state of this run says, the trainer's part left out.
StateRecord record_of(const Provenance& provenance, int64_t finished_steps);

// Seed, items a step and threads are the first start's, where they are not given again.
void take_fixed_settings(TrainSettings& settings, const StateRecord& record);

// `now` is what a state of this run would say. Throws a usage error that lists everything that would
// make another result than a run without a stop. What may differ: output, saving and logging; more steps,
// where the steps that are done would have had the same learning rates. `start_anew`: what to do instead.
void check_same_run(const Resumption& from, const StateRecord& now, const TrainSettings& settings,
                    const std::string& start_anew);

// What else may make another result, and is no reason to stop: another version of leco, another CPU. Empty
// where there is nothing.
std::string notice_of_other_arithmetic(const Resumption& from, const StateRecord& now);

}  // namespace leco
