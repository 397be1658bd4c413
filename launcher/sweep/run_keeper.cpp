#include "launcher/sweep/run_keeper.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "config/prompt_file.h"
#include "core/error.h"
#include "core/log.h"
#include "core/read_file.h"
#include "io/digest.h"
#include "train/lora_output.h"
#include "train/pairs_json.h"
#include "train/shared_files.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

// What belongs to the run, as paths in its folder; the growth of the previews lies deeper.
std::vector<std::string> files_of(const PlannedRun& run, const TrainingOutcome& outcome) {
  std::vector<std::string> names;
  for (const std::string& path : outcome.files)
    names.push_back(fs::path(path).lexically_relative(run.folder).string());
  const std::string last = fs::path(lora_of(run)).filename().string();
  std::ranges::stable_partition(names, [&](const std::string& name) { return name == last; });
  for (const char* ending : {".metrics.jsonl", ".run.json"})
    if (fs::exists(fs::path(run.folder) / (run.name + ending))) names.push_back(run.name + ending);
  return names;
}

void check_claim(const PlannedRun& run, const ClaimFile& claim) {
  if (claim.is_lost()) throw Error(fmt::format("another process has taken '{}' over", run.folder));
}

// The runs of a sweep are those of one moment. A file that could not be read then may have been mended.
void check_prompts(const PlannedRun& run) {
  const auto asked = std::ranges::find(run.asked, kPromptsChecksum, &NamedValues::value_type::first);
  if (!run.slider.empty() || asked == run.asked.end() || asked->second.empty()) return;
  const std::string& path = run.parsed.settings.prompts_file;
  if (sha256(pairs_json(load_prompt_file(path, read_local_file).pairs)) != asked->second)
    throw_usage(
        fmt::format("'{}' was changed since the sweep was started; start it again to train by what it "
                    "says now",
                    path));
}

}  // namespace

std::string lora_of(const PlannedRun& run) {
  return lora_path(run.parsed.settings, run.parsed.settings.max_train_steps);
}

void divert_log(const PlannedRun& run, bool writes) {
  log::divert("");
  if (!writes) return;
  try {
    log::divert((fs::path(run.folder) / (run.name + ".log")).string());
  } catch (const Error& error) {
    log::headline(fmt::format("'{}': its lines are lost: {}", run.name, error.what()));
  }
}

bool RunKeeper::find_trained(const PlannedRun& run, Communicator& comm) {
  const std::string found = do_on_reader(comm, [&] {
    check_prompts(run);
    trained_ = read_trained(run.folder);
    if (trained_ && (!damage_of(trained_path(run.folder), *trained_).empty() ||
                     !differences(trained_->settings, run.asked).empty()))
      trained_.reset();
    if (trained_) log::info("it was trained before, so only its evaluation is left");
    return std::string(trained_ ? "trained" : "");
  });
  return !found.empty();
}

void RunKeeper::keep_trained(const PlannedRun& run, const TrainingOutcome& outcome, const ClaimFile& claim,
                             TrainedBy by) {
  check_claim(run, claim);
  DoneMarker marker{.run = run.name,
                    .settings = run.asked,
                    .files = {},
                    .seconds = by.seconds,
                    .cost = run.cost,
                    .ranks = by.ranks};
  if (std::isfinite(outcome.loss)) marker.final_loss = outcome.loss;
  trained_ = with_files(std::move(marker), run.folder, files_of(run, outcome));
  if (plan_.evaluation) write_trained(run.folder, *trained_);
}

void RunKeeper::finish(const PlannedRun& run, const ClaimFile& claim, double evaluation_seconds) {
  check_claim(run, claim);
  LECO_ASSERT(trained_);
  trained_->evaluation_seconds = evaluation_seconds;
  write_done(run.folder, *trained_);
}

void RunKeeper::record_failure(const PlannedRun& run, const FailedMarker& failure) {
  try {
    write_failed(run.folder, failure);
  } catch (const Error& error) {
    log::headline(fmt::format("'{}': that it failed is written nowhere: {}", run.name, error.what()));
    unrecorded_.push_back({static_cast<size_t>(&run - plan_.runs.data()), failure.error});
  }
}

}  // namespace leco
