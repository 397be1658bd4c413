#include "launcher/sweep/crew.h"

#include <c10/util/Exception.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <iterator>
#include <sstream>
#include <thread>
#include <utility>

#include "comm/text_message.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "core/log.h"
#include "io/atomic_file.h"
#include "launcher/evaluate/evaluation.h"
#include "launcher/flags/flag_parser.h"
#include "launcher/resolve.h"
#include "launcher/stop_signal.h"
#include "report/progress_line.h"
#include "report/sweep_measures.h"
#include "train/shared_files.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;

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

struct SweepCrew::Next {
  enum class What { kRun, kHelp, kNothing, kStop } what = What::kNothing;
  size_t run = 0;
  Groups team = {};  // to help in

  std::string text() const {
    return fmt::format("{} {} {}", static_cast<int>(what), run, fmt::join(team, " "));
  }
  static Next parse(const std::string& text) {
    std::istringstream words(text);
    int what = 0;
    Next next;
    words >> what >> next.run;
    next.what = static_cast<What>(what);
    for (int group = 0; words >> group;) next.team.push_back(group);
    return next;
  }
};

SweepCrew::SweepCrew(const SweepPlan& plan, const SweepStart& start, World& world, std::function<int()> stop)
    : plan_(plan),
      team_(world.split(group_of_rank(world.rank(), world.size(), plan.ranks_per_run)),
            ranks_of_groups(world.size(), plan.ranks_per_run),
            group_of_rank(world.rank(), world.size(), plan.ranks_per_run)),
      stop_(std::move(stop)),
      board_(folders_of(plan), start.old),
      queue_(board_, start.open, start.begun),
      record_(plan.output_dir),
      asked_(asked_runs(plan)),
      keeper_(plan),
      help_(plan, world.size(), team_) {}

bool SweepCrew::work() {
  while (true) {
    const Next next = agree_on_next();
    const PlannedRun& run = plan_.runs[next.run];
    bool goes_on = true;
    switch (next.what) {
      case Next::What::kNothing:
        return true;
      case Next::What::kStop:
        return false;
      case Next::What::kRun:
        goes_on = do_run(run);
        claim_.reset();
        help_.end_run();
        break;
      case Next::What::kHelp:
        log::divert("");
        goes_on = !attempt(run, next.team).stopped;
        break;
    }
    if (!goes_on) return false;
  }
}

void SweepCrew::answer() {
  if (team_.is_first()) help_.look();
}

// The leader decides and tells the others.
SweepCrew::Next SweepCrew::agree_on_next() {
  Next next;
  if (team_.is_first()) next = choose_next();
  team_.home().wait_for_all([&] { stop_(); });  // the leader may have waited for others
  return Next::parse(broadcast_text(team_.home().host(), next.text(), 0));
}

SweepCrew::Next SweepCrew::choose_next() {
  using enum Next::What;
  const auto take = [&](RunQueue::Taken taken) {
    if (is_overruled()) return Next{kNothing};
    claim_ = std::move(taken.claim);
    return Next{kRun, taken.run};
  };
  if (stop_() != 0) return {kStop};
  if (auto taken = queue_.next()) return take(std::move(*taken));
  if (auto call = help_.offer(stop_)) return {kHelp, call->run, std::move(call->team)};
  if (auto taken = look_once_more()) return take(std::move(*taken));
  return {stop_() != 0 ? kStop : kNothing};
}

// Another sweep, or another start of this one, wants these runs otherwise since: what we would train now
// would stand among its runs.
bool SweepCrew::is_overruled() {
  try {
    const std::string other = record_.agree(asked_);
    if (!other.empty())
      overruled_ = fmt::format(
          "another start of a sweep has asked for other settings since: {} ('{}'), so no further run is "
          "begun; start this one again when that has ended, or give it an output_dir of its own",
          other, record_.path());
  } catch (const Error& error) {
    log::headline(fmt::format("whether others ask for the same is not known: {}", error.what()));
  }
  return !overruled_.empty();
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
    for (const auto end = Clock::now() + wait; Clock::now() < end && stop_() == 0;)
      help_.wait_a_little(stop_);
  }
  return std::nullopt;
}

// False: stopped, with the state saved.
bool SweepCrew::do_run(const PlannedRun& run) {
  divert_log(run, leads_run());
  if (leads_run()) help_.begin_run(run.parsed.settings);
  double seconds = 0;
  for (int64_t attempts = 1; attempts <= 1 + plan_.max_retries;) {
    const Attempt result = attempt(run);
    seconds += result.seconds;
    if (result.stopped) return false;
    tell(run, result, attempts);
    if (result.error.empty()) return true;
    if (stop_() != 0 && team_.home().size() == 1)
      return false;         // a larger group agrees on it in its next run
    if (result.had_help) {  // then it is not known whose failure that is
      help_.refuse_until_end();
      continue;
    }
    if (leads_run() && attempts == 1 + plan_.max_retries && !claim_->is_lost())
      keeper_.record_failure(run, {.error = result.error, .attempts = attempts, .seconds = seconds});
    ++attempts;
  }
  return true;
}

SweepCrew::Attempt SweepCrew::attempt(const PlannedRun& run, const Groups& team) {
  Attempt attempt;
  const auto start = Clock::now();
  bool is_own = true;
  try {
    train(run, team, attempt);
    team_.host().barrier();  // whoever fails has failed before
  } catch (const PeerFailure& failure) {
    attempt.error = failure.what();
    is_own = false;
  } catch (const c10::Error& failure) {  // libtorch's; what() would add the stack of calls
    attempt.error = failure.what_without_backtrace();
  } catch (const std::exception& failure) {
    attempt.error = failure.what();
  }
  attempt.seconds = seconds_since(start);
  attempt.had_help = team_.is_joined();
  attempt.error = one_line(attempt.error);
  if (!attempt.error.empty())
    team_.recover(attempt.error, is_own);
  else if (attempt.had_help)
    team_.leave();
  if (attempt.is_evaluating)
    attempt.error = fmt::format("evaluation failed: {}; the trained {} is kept", attempt.error,
                                fs::path(lora_of(run)).filename().string());
  return attempt;
}

void SweepCrew::train(const PlannedRun& run, const Groups& team, Attempt& attempt) {
  const auto start = Clock::now();
  double evaluation_seconds = 0;
  if (!team.empty())
    team_.join(team);
  else if (!run.slider.empty())
    do_on_reader(team_.host(), [&] { write_file_atomically(run.parsed.settings.prompts_file, run.slider); });
  if (!team.empty() || !keeper_.find_trained(run, team_.host())) {
    const TrainingOutcome outcome = train_with_help(run);
    attempt.stopped = outcome.stopped_by != 0;
    if (attempt.stopped) return;
    do_on_reader(team_.host(), [&] {
      help_.remove_states(run.parsed.settings);
      keeper_.keep_trained(run, outcome, *claim_, {team_.world().size(), seconds_since(start)});
    });
  }
  if (plan_.evaluation) {
    // What a signal breaks off is made by the next start, from its beginning.
    attempt.stopped = std::ranges::max(team_.host().all_gather(stop_())) != 0;
    if (attempt.stopped) return;
    const TrainSettings& settings = run.parsed.settings;
    attempt.is_evaluating = true;
    const auto evaluation_start = Clock::now();
    team_.parts().serve(settings, plan_.prompts);  // the training may have been an earlier start's
    const auto written =
        evaluate(evaluation_of_run(*plan_.evaluation, settings, lora_of(run),
                                   (fs::path(run.folder) / kEvaluationFolder).string()),
                 team_.parts(), team_.world(), team_.files(), [&] { return asked_to_leave_off(); });
    evaluation_seconds = seconds_since(evaluation_start);
    attempt.is_evaluating = false;
    attempt.stopped = !written;
    if (attempt.stopped) return;
  }
  do_on_reader(team_.host(), [&] { keeper_.finish(run, *claim_, evaluation_seconds); });
}

// Each time that groups come it goes on from its state with their ranks.
TrainingOutcome SweepCrew::train_with_help(const PlannedRun& run) {
  while (true) {
    help_.begin_start();
    team_.parts().serve(run.parsed.settings, plan_.prompts);
    TrainingOutcome outcome =
        run_training(run.parsed, team_.world(), team_.files(), team_.parts(),
                     [&](int64_t finished_steps) { return asked_to_stop(run, finished_steps); });
    if (outcome.stopped_by != kMoreRanks) {
      help_.refuse();
      return outcome;
    }
    let_help_come(run);
  }
}

// The signal that came to any rank of the job, or kMoreRanks.
int SweepCrew::asked_to_stop(const PlannedRun& run, int64_t finished_steps) {
  const int signal = stop_();
  if (team_.is_first()) help_.look();
  if (!leads_run() || signal != 0) return signal;
  return help_.is_wanted(run.parsed.settings, finished_steps) ? kMoreRanks : 0;
}

// In an evaluation, that no more ranks can help with.
int SweepCrew::asked_to_leave_off() {
  if (team_.is_first()) help_.look();
  if (leads_run()) help_.refuse();
  return stop_();
}

// The run has stopped for them.
void SweepCrew::let_help_come(const PlannedRun& run) {
  std::string text;
  if (leads_run())
    text = fmt::format("{}", fmt::join(help_.call(static_cast<size_t>(&run - plan_.runs.data())), " "));
  std::istringstream words(broadcast_text(team_.host(), text, 0));
  team_.join({std::istream_iterator<int>(words), {}});
  if (!leads_run()) return;
  const std::string line = fmt::format("'{}' goes on after step {} with ranks that were free: {} now",
                                       run.name, help_.called_at(), team_.world().size());
  log::info(line);  // into the run's log
  log::headline(line);
}

std::vector<RunQueue::Refused> SweepCrew::unrecorded() const {
  std::vector<RunQueue::Refused> all = keeper_.unrecorded();
  all.insert(all.end(), queue_.refused().begin(), queue_.refused().end());
  return all;
}

void SweepCrew::tell(const PlannedRun& run, const Attempt& attempt, int64_t attempts) {
  if (!leads_run()) return;
  if (attempt.error.empty())
    return log::headline(fmt::format("'{}' is done in {}", run.name, spoken_duration(attempt.seconds)));
  const bool again = attempt.had_help || attempts <= plan_.max_retries;
  log::warning("failed: " + attempt.error);  // into the run's log
  log::headline(
      fmt::format("'{}' failed{}: {}", run.name, again ? " and is tried again" : "", attempt.error));
}

}  // namespace leco
