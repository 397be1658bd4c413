// What an earlier start, or another job, has left of a sweep.
#pragma once

#include <string>
#include <vector>

#include "comm/world.h"
#include "launcher/sweep/plan.h"
#include "sweep/run_board.h"

namespace leco {

struct SweepStart {
  std::vector<size_t> open;     // runs to be done, costliest first
  std::vector<size_t> begun;    // those of them that have a claim file
  std::vector<OldMarkers> old;  // of each run of the plan
};

// Rank 0 lists output_dir once and reads the markers of the runs that have a folder; all ranks get the
// result. It tells of runs that are finished, that are to be done again because their files were damaged or
// because they failed, and that are finished with other settings: these are left alone. Collective.
SweepStart find_start(const SweepPlan& plan, World& world);

// Nobody who is at work in the folder asks for other settings of these runs: a usage error, before anything
// is written. Else the folder's record says from now on what this start asks for. One rank does it.
void enter_folder(const SweepPlan& plan, const SweepStart& start);

// What every run would fail of is told once, before anything is written: the files that all share, and what
// their evaluation needs. Usage errors. Collective.
void check_shared_parts(const SweepPlan& plan, World& world, FileSource& files);

}  // namespace leco
