// `leco sweep`: many trainings from one file, shared out over groups of ranks.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <functional>
#include <mutex>
#include <optional>
#include <sstream>
#include <thread>

#include "comm/text_message.h"
#include "core/error.h"
#include "core/log.h"
#include "launcher/flags/sweep_flags.h"
#include "launcher/resolve.h"
#include "launcher/stop_signal.h"
#include "launcher/subcommand.h"
#include "launcher/sweep/crew.h"
#include "launcher/sweep/plan.h"
#include "launcher/sweep/start.h"
#include "launcher/sweep/table.h"
#include "launcher/sweep/view.h"
#include "report/sweep_results.h"
#include "train/shared_files.h"

namespace leco {
namespace {

// Shows how far the sweep is, on one rank, from what the groups write: whenever runs have begun or ended,
// when the time to go becomes known, and now and then.
class StatusLine {
 public:
  StatusLine(const SweepPlan& plan, int groups)
      : view_(plan, groups), thread_([this](std::stop_token stop) { watch(stop); }) {}

 private:
  void watch(std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    auto pause = std::chrono::seconds(1);
    while (!changed.wait_for(lock, stop, pause, [&] { return stop.stop_requested(); })) {
      const auto start = std::chrono::steady_clock::now();
      show(start);
      // Looking shall cost a hundredth of the time at most, and ten thousand runs are looked at seldom.
      pause =
          std::max(std::chrono::seconds(5),
                   std::chrono::ceil<std::chrono::seconds>(100 * (std::chrono::steady_clock::now() - start)));
    }
  }

  void show(std::chrono::steady_clock::time_point now) {
    try {
      view_.refresh();
    } catch (const std::exception&) {  // a file went away under our eyes; there is a next time
      return;
    }
    const std::string line = view_.line(), counts = line.substr(0, line.find(", about"));
    const bool tells_time = counts != line;
    if (counts == counts_ && tells_time == told_time_ && now - shown_ < kLongestSilence) return;
    log::headline(line);
    counts_ = counts;
    told_time_ = tells_time;
    shown_ = now;
  }

  static constexpr auto kLongestSilence = std::chrono::minutes(10);
  SweepView view_;
  std::string counts_;  // as they were shown last
  bool told_time_ = false;
  std::chrono::steady_clock::time_point shown_ = {};
  std::jthread thread_;
};

// On one rank. The results' paths stand on stdout, the failures on stderr.
std::string write_results(const SweepPlan& plan, const SweepView& view) {
  std::string lines;
  for (const std::string& path :
       write_sweep_results({plan.name, evaluated_rows(view, plan.output_dir)}, plan.output_dir))
    lines += path + "\n";
  return lines;
}

void list_failures(const SweepView& view) {
  for (const SweepRow& row : view.rows())
    if (row.status == RunStatus::kFailed) log::error(fmt::format("'{}' failed: {}", row.name, row.error));
}

// Of every rank that has one, on every rank. Collective.
std::vector<std::string> texts_of_all(World& world, const std::string& mine) {
  std::vector<std::string> texts;
  const std::vector<double> lengths = world.host().all_gather(static_cast<double>(mine.size()));
  for (int rank = 0; rank < world.size(); ++rank)
    if (lengths[static_cast<size_t>(rank)] != 0) texts.push_back(broadcast_text(world.host(), mine, rank));
  return texts;
}

// On every rank. Collective.
std::vector<RunQueue::Refused> unrecorded_of_all(World& world, const SweepCrew& crew) {
  std::string mine;
  for (const auto& [run, error] : crew.unrecorded()) mine += fmt::format("{} {}\n", run, one_line(error));
  std::vector<RunQueue::Refused> all;
  for (const std::string& text : texts_of_all(world, mine)) {
    std::istringstream lines(text);
    RunQueue::Refused refused;
    while (lines >> refused.run && std::getline(lines >> std::ws, refused.error)) all.push_back(refused);
  }
  return all;
}

ExitStatus end_of_sweep(const SweepPlan& plan, World& world, bool stopped,
                        const std::vector<RunQueue::Refused>& unrecorded) {
  const bool any_stopped = std::ranges::max(world.host().all_gather(stopped ? 1 : 0)) != 0;
  const std::string failed = do_on_reader(world.host(), [&] {
    SweepView view(plan);
    view.add_failures(unrecorded);
    log::info(view.line());
    list_failures(view);
    if (const int64_t running = view.count(RunStatus::kRunning); running > 0 && !any_stopped)
      log::info(fmt::format(
          "{} of them are being trained by other jobs, which write the results at their end", running));
    std::fputs(write_results(plan, view).c_str(), stdout);
    return std::to_string(view.count(RunStatus::kFailed));
  });
  if (any_stopped) return ExitStatus::kStopped;
  return failed == "0" ? ExitStatus::kDone : ExitStatus::kFailure;
}

ExitStatus run_sweep(const SweepPlan& plan, World& world, FileSource& files) {
  const SweepStart start = find_start(plan, world);
  if (!start.open.empty()) check_shared_parts(plan, world, files);
  do_on_reader(world.host(), [&] {
    prepare_folder("output_dir", plan.output_dir);
    enter_folder(plan, start);
  });
  const int groups = group_count(world.size(), plan.ranks_per_run);
  log::info(fmt::format("{}, {} of them to do, by {} of {}; each run's log lies in its folder",
                        counted(std::ssize(plan.runs), "run"), start.open.size(), counted(groups, "group"),
                        counted(world.size(), "rank")));
  const std::function<int()> stop = stop_of_job(world);
  bool finished = false;
  std::vector<RunQueue::Refused> unrecorded;
  std::vector<std::string> overruled;
  {
    std::optional<StatusLine> status;
    if (world.rank() == 0) status.emplace(plan, groups);
    SweepCrew crew(plan, start, world, stop);
    finished = crew.work();
    world.wait_for_all([&] {
      stop();
      crew.answer();
    });
    unrecorded = unrecorded_of_all(world, crew);
    overruled = texts_of_all(world, crew.overruled());
  }
  log::configure(console_of(plan.runs.front().parsed.settings));
  if (!overruled.empty()) throw_usage(overruled.front());
  return end_of_sweep(plan, world, !finished, unrecorded);
}

void check_begun(const SweepPlan& plan, const char* consequence) {
  std::error_code failure;
  if (!std::filesystem::is_directory(plan.output_dir, failure))
    throw_usage(fmt::format("'{}' is no folder, so {}: nothing of this sweep was begun", plan.output_dir,
                            consequence));
}

// On one rank; nothing is written.
std::string status_text(const SweepPlan& plan) {
  check_begun(plan, "there is nothing to tell");
  const SweepView view(plan);
  std::string text;
  for (size_t run = 0; run < view.rows().size(); ++run) {
    const SweepRow& row = view.rows()[run];
    const std::string more = row.error + view.progress(run);  // never both
    text += fmt::format("{:<8}{}{}{}\n", status_name(row.status), row.name, more.empty() ? "" : ": ", more);
  }
  return text + view.line() + "\n";
}

}  // namespace

ExitStatus sweep_command(World& world, std::span<const std::string> arguments) {
  const SweepFlags flags = parse_sweep_flags(arguments);
  if (flags.help) return show(world, sweep_help());
  catch_stop_signals();
  const auto files = share_files(world.host());
  const SweepPlan plan = plan_sweep(flags.spec, world, *files);
  log::configure(console_of(plan.runs.front().parsed.settings));
  if (!flags.dry_run && !flags.status && !flags.report) {
    if (world.rank() == 0)
      for (const std::string& notice : plan.notices) log::warning(notice);
    return run_sweep(plan, world, *files);
  }
  const std::string text = do_on_reader(world.host(), [&] {
    if (flags.dry_run) return dry_run_text(plan, static_cast<int>(flags.ranks.value_or(world.size())));
    if (flags.status) return status_text(plan);
    check_begun(plan, "there is nothing to report");
    return write_results(plan, SweepView(plan));
  });
  return show(world, text);
}

}  // namespace leco
