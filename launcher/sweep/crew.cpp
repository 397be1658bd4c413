#include "launcher/sweep/crew.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <thread>

#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "launcher/evaluate/evaluation.h"
#include "launcher/flags/flag_parser.h"
#include "launcher/resolve.h"
#include "report/progress_line.h"
#include "report/sweep_measures.h"
#include "train/shared_files.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

constexpr int64_t kNoneLeft = -1, kStopped = -2;  // instead of a run
constexpr auto kFirstWait = std::chrono::milliseconds(100), kLongestWait = std::chrono::milliseconds(2000);
// By then whoever lives has touched its claim, or is a process that somebody halted.
constexpr auto kLongestLook = std::chrono::seconds(ClaimFile::kStaleSeconds + 2 * ClaimFile::kRefreshSeconds);

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

std::vector<std::string> folders_of(const SweepPlan& plan) {
  std::vector<std::string> folders;
  for (const PlannedRun& run : plan.runs) folders.push_back(run.folder);
  return folders;
}

}  // namespace

SweepCrew::SweepCrew(const SweepPlan& plan, const SweepStart& start, std::unique_ptr<World> group,
                     StopRequest stop)
    : plan_(plan),
      group_(std::move(group)),
      stop_(std::move(stop)),
      files_(share_files(group_->host())),
      board_(folders_of(plan), start.old),
      queue_(board_, start.open, start.begun),
      keeper_(plan) {
  parts_.emplace(*files_);
}

bool SweepCrew::work() {
  while (true) {
    const int64_t next = agree_on_next();
    if (next == kNoneLeft) return true;
    const bool stopped = next == kStopped || !do_run(plan_.runs[static_cast<size_t>(next)]);
    claim_.reset();
    if (stopped) return false;
  }
}

// The leader takes one and tells the others.
int64_t SweepCrew::agree_on_next() {
  return std::stoll(do_on_reader(group_->host(), [&] {
    if (stop_() != 0) return std::to_string(kStopped);
    auto taken = next();
    if (!taken) return std::to_string(stop_() != 0 ? kStopped : kNoneLeft);
    claim_ = std::move(taken->claim);
    return std::to_string(taken->run);
  }));
}

std::optional<RunQueue::Taken> SweepCrew::next() {
  if (auto taken = queue_.next()) return taken;
  return look_once_more();
}

// Of all that share the sweep one looks for what a dead owner left, until the others have shown that they
// live.
std::optional<RunQueue::Taken> SweepCrew::look_once_more() {
  std::string holder;
  std::unique_ptr<ClaimFile> looks;
  try {
    looks = ClaimFile::take((fs::path(plan_.output_dir) / ".last-look.claim").string(), holder);
  } catch (const Error& error) {
    log::headline(fmt::format("nobody looks for what a dead owner left: {}", error.what()));
  }
  if (!looks) return std::nullopt;
  const auto start = Clock::now();
  for (auto wait = kFirstWait; stop_() == 0; wait = std::min(2 * wait, kLongestWait)) {
    size_t left = 0;
    if (auto taken = queue_.next_left_over(left)) return taken;
    if (left == 0 || queue_.others_live() || Clock::now() - start > kLongestLook) break;
    std::this_thread::sleep_for(wait);
  }
  return std::nullopt;
}

// False: stopped, with the state saved.
bool SweepCrew::do_run(const PlannedRun& run) {
  divert_log(run, is_leader());
  double seconds = 0;
  for (int64_t attempts = 1; attempts <= 1 + plan_.max_retries; ++attempts) {
    const Attempt result = attempt(run);
    seconds += result.seconds;
    if (result.stopped) return false;
    tell(run, result, attempts);
    if (result.error.empty()) return true;
    if (stop_() != 0 && group_->size() == 1) return false;  // a larger group agrees on it in its next run
    if (is_leader() && attempts == 1 + plan_.max_retries && !claim_->is_lost())
      keeper_.record_failure(run, {.error = result.error, .attempts = attempts, .seconds = seconds});
  }
  return true;
}

SweepCrew::Attempt SweepCrew::attempt(const PlannedRun& run) {
  Attempt attempt;
  const auto start = Clock::now();
  bool is_own = true;
  try {
    train(run, attempt);
    group_->host().barrier();  // whoever fails has failed before
  } catch (const PeerFailure& failure) {
    attempt.error = failure.what();
    is_own = false;
  } catch (const c10::Error& failure) {  // libtorch's; what() would add the stack of calls
    attempt.error = failure.what_without_backtrace();
  } catch (const std::exception& failure) {
    attempt.error = failure.what();
  }
  attempt.seconds = seconds_since(start);
  if (attempt.error.empty()) return attempt;
  attempt.error = one_line(attempt.error);
  recover(attempt.error, is_own);
  if (attempt.is_evaluating)
    attempt.error = fmt::format("evaluation failed: {}; the trained {} is kept", attempt.error,
                                fs::path(lora_of(run)).filename().string());
  return attempt;
}

void SweepCrew::train(const PlannedRun& run, Attempt& attempt) {
  const auto start = Clock::now();
  if (!run.slider.empty())
    do_on_reader(group_->host(), [&] {
      write_file_atomically(run.parsed.settings.prompts_file, run.slider);
      return std::string();
    });
  parts_->serve(run.parsed.settings, plan_.prompts);
  if (!keeper_.find_trained(run, group_->host())) {
    const TrainingOutcome outcome = run_training(run.parsed, *group_, *files_, *parts_, stop_);
    attempt.stopped = outcome.stopped;
    if (outcome.stopped) return;
    do_on_reader(group_->host(), [&] {
      keeper_.keep_trained(run, outcome, *claim_, {group_->size(), seconds_since(start)});
      return std::string();
    });
  }
  if (plan_.evaluation) {
    const TrainSettings& settings = run.parsed.settings;
    attempt.is_evaluating = true;
    evaluate(evaluation_of_run(*plan_.evaluation, settings, lora_of(run),
                               (fs::path(run.folder) / kEvaluationFolder).string()),
             *parts_, *group_, *files_);
    attempt.is_evaluating = false;
  }
  do_on_reader(group_->host(), [&] {
    keeper_.finish(run, *claim_);
    return std::string();
  });
}

std::vector<RunQueue::Refused> SweepCrew::unrecorded() const {
  std::vector<RunQueue::Refused> all = keeper_.unrecorded();
  all.insert(all.end(), queue_.refused().begin(), queue_.refused().end());
  return all;
}

// The group can meet again afterwards, on a model that is loaded anew.
void SweepCrew::recover(const std::string& error, bool is_own) {
  if (group_->size() == 1) return;
  if (is_own) group_->give_up(error);
  parts_.reset();
  files_.reset();
  group_->renew();
  files_ = share_files(group_->host());
  parts_.emplace(*files_);
}

void SweepCrew::tell(const PlannedRun& run, const Attempt& attempt, int64_t attempts) {
  if (!is_leader()) return;
  if (attempt.error.empty())
    return log::headline(fmt::format("'{}' is done in {}", run.name, spoken_duration(attempt.seconds)));
  const bool again = attempts <= plan_.max_retries;
  log::warning("failed: " + attempt.error);  // into the run's log
  log::headline(
      fmt::format("'{}' failed{}: {}", run.name, again ? " and is tried again" : "", attempt.error));
}

}  // namespace leco
