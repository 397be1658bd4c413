#include "launcher/sweep/start.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>

#include "config/sample_prompts.h"
#include "core/error.h"
#include "core/log.h"
#include "launcher/evaluate/evaluation.h"
#include "launcher/model/open_model.h"
#include "lora/open_lora.h"
#include "report/sweep_measures.h"
#include "sweep/run_marker.h"
#include "train/shared_files.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

std::set<std::string> names_in(const std::string& folder) {
  std::set<std::string> names;
  std::error_code failure;
  for (const auto& entry : fs::directory_iterator(folder, failure))
    names.insert(entry.path().filename().string());
  return names;
}

// One line also for hundreds of runs.
std::string told_of(const std::vector<std::string>& names, const char* one, const char* many) {
  if (names.size() == 1) return fmt::format("'{}' {}", names[0], one);
  return fmt::format("{} runs, '{}' the first of them, {}", names.size(), names[0], many);
}

struct Found {
  bool is_finished = false;
  bool has_claim = false;
  OldMarkers old;
};

// Reads what lies there, on one rank.
class Look {
 public:
  explicit Look(const SweepPlan& plan) : plan_(plan), names_(names_in(plan.output_dir)) {}

  // A line for each run.
  std::string lines() {
    std::string text;
    for (const PlannedRun& run : plan_.runs) {
      const auto [finished, claimed, old] = names_.contains(run.name) ? look_at(run) : Found{};
      text += fmt::format("{:d} {:d} {} {} {} {}\n", finished, claimed, old.done.tv_sec, old.done.tv_nsec,
                          old.failed.tv_sec, old.failed.tv_nsec);
    }
    for (const auto& [what, names] : otherwise_)
      log::warning(
          told_of(names, "is finished with other settings and is left as it is",
                  "are finished with other settings and are left as they are (--status lists them)") +
          ": " + what);
    if (!unevaluated_.empty())
      log::info(told_of(unevaluated_, "was finished without an evaluation and gets it now",
                        "were finished without an evaluation and get it now"));
    if (finished_ > 0) log::info(fmt::format("{} of {} runs are finished", finished_, plan_.runs.size()));
    return text;
  }

 private:
  Found look_at(const PlannedRun& run) {
    if (!fs::is_directory(run.folder))
      throw_usage(fmt::format("'{}' is no folder, and a run is to have that name; move it away", run.folder));
    const timespec none{};
    Found found{.is_finished = false,
                .has_claim = time_of_file(claim_path(run.folder)).tv_sec != none.tv_sec,
                .old = {time_of_file(done_path(run.folder)), time_of_file(failed_path(run.folder))}};
    if (found.old.done.tv_sec == none.tv_sec) {
      if (const auto failed = read_failed(run.folder))
        log::info(fmt::format("'{}' failed before and is tried again: {}", run.name, failed->error));
      return found;
    }
    const auto done = read_done(run.folder);
    const std::string damage =
        done ? damage_of(done_path(run.folder), *done) : "sweep.done.json cannot be read";
    if (!damage.empty()) {
      log::warning(fmt::format("'{}' was finished, but {}; it is done again", run.name, damage));
      return found;
    }
    if (const auto other = differences(done->settings, run.asked); !other.empty()) {
      otherwise_[fmt::format("{}", fmt::join(other, "; "))].push_back(run.name);
    } else if (plan_.evaluation && !fs::exists(fs::path(run.folder) / kEvaluationFolder)) {
      unevaluated_.push_back(run.name);
      return found;
    }
    found.is_finished = true;
    ++finished_;
    return found;
  }

  const SweepPlan& plan_;
  std::set<std::string> names_;
  int64_t finished_ = 0;
  std::map<std::string, std::vector<std::string>> otherwise_;  // finished runs, by how their settings differ
  std::vector<std::string> unevaluated_;
};

}  // namespace

void enter_folder(const SweepPlan& plan, const SweepStart& start) {
  const std::vector<SweepRecord::Run> asked = asked_runs(plan);
  SweepRecord record(plan.output_dir);
  const std::string other = record.agree(asked);
  if (other.empty()) return;
  for (const size_t run : start.begun) {
    const std::string owner = ClaimFile::living_owner(claim_path(plan.runs[run].folder));
    if (!owner.empty())
      throw_usage(
          fmt::format("'{}': {} trains '{}' there in a sweep that asks for other settings: {}; start "
                      "again when that has ended, or give this sweep an output_dir of its own",
                      plan.output_dir, owner, plan.runs[run].name, other));
  }
  record.replace(asked);
}

void check_shared_parts(const SweepPlan& plan, World& world, FileSource& files) {
  const TrainSettings& settings = plan.runs.front().parsed.settings;
  const auto in_all = [&](const auto& is_same) {
    return std::ranges::all_of(plan.runs,
                               [&](const PlannedRun& run) { return is_same(run.parsed.settings, settings); });
  };
  const bool all_draw = in_all([](const TrainSettings& left, const TrainSettings& right) {
    return left.preview.is_on() && left.preview.prompts == right.preview.prompts &&
           left.preview.vae == right.preview.vae;
  });
  if (in_all(name_same_model)) {
    const auto model = open_named_model(settings, files);
    if (plan.evaluation || all_draw) model->open_vae(settings.preview.vae, Contents::kOutline);
  }
  if (all_draw) load_sample_prompts(settings.preview.prompts, reader_of(files));
  const std::string& lora = settings.network_weights;
  if (!lora.empty() && in_all([](const TrainSettings& left, const TrainSettings& right) {
        return left.network_weights == right.network_weights;
      }))
    open_lora(files, lora);
  if (!plan.evaluation || plan.evaluation->clip_model.empty()) return;
  do_on_reader(world.host(), [&] { check_clip_model(plan.evaluation->clip_model); });
}

SweepStart find_start(const SweepPlan& plan, World& world) {
  std::istringstream lines(do_on_reader(world.host(), [&] { return Look(plan).lines(); }));
  SweepStart start;
  std::vector<Found> found(plan.runs.size());
  for (Found& run : found) {
    OldMarkers& old = run.old;
    lines >> run.is_finished >> run.has_claim >> old.done.tv_sec >> old.done.tv_nsec >> old.failed.tv_sec >>
        old.failed.tv_nsec;
    start.old.push_back(old);
  }
  LECO_ASSERT(lines);
  for (const size_t run : plan.by_cost) {
    if (found[run].is_finished) continue;
    start.open.push_back(run);
    if (found[run].has_claim) start.begun.push_back(run);
  }
  return start;
}

}  // namespace leco
