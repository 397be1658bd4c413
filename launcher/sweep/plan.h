// A sweep, ready to be run: every run with its checked settings, its folder and its expected cost.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "comm/world.h"
#include "io/file_source.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/flags/flag_table.h"
#include "sweep/sweep_record.h"

namespace leco {

struct PlannedRun {
  std::string name;
  std::string prompts;  // the prompt file's stem, or the slider's name
  NamedValues swept;    // as in the name
  ParsedTrain parsed = {};
  std::string folder = {};
  std::string slider =
      {};  // the text of its prompt file, which is to lie in its folder; empty where it has one
  NamedValues asked = {};  // what decides the result; empty texts for what the run is to choose
  double cost = 0;         // in passes of one sample of 512 × 512 pixels; 0 where the prompts cannot be read
  std::string error = {};  // why the prompts cannot be read
};

struct SweepPlan {
  std::string name, output_dir;
  int64_t ranks_per_run = 1, max_retries = 1;
  std::vector<PlannedRun> runs = {};
  std::vector<size_t> by_cost = {};  // indices of runs, costliest first; of equal ones, model by model
  std::optional<EvaluateSettings> evaluation = {};
  std::vector<std::string> prompts = {};  // of all runs, each once, up to some thousands
  std::vector<std::string> notices = {};
};

// What every run of the plan asks for.
std::vector<SweepRecord::Run> asked_runs(const SweepPlan& plan);

// Reads the file and the prompt files, and checks each value as `leco train` does. Throws usage errors with
// file and line; a prompt file that is there and cannot be read is its runs' error. Collective; writes
// nothing.
SweepPlan plan_sweep(const std::string& path, World& world, FileSource& files);

// Ranks that are split into groups of ranks_per_run: the group of each rank. Ranks that are too few for one
// more group join the last.
int group_of_rank(int rank, int ranks, int64_t ranks_per_run);
int group_count(int ranks, int64_t ranks_per_run);
std::vector<std::vector<int>> ranks_of_groups(int ranks, int64_t ranks_per_run);

}  // namespace leco
