#include "launcher/sweep/table.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <vector>

#include "launcher/flags/flag_parser.h"
#include "launcher/sweep/view.h"
#include "report/progress_line.h"

namespace leco {
namespace {

// The group that is free first takes the next run.
struct Shares {
  std::vector<double> load;
  explicit Shares(int groups) : load(static_cast<size_t>(groups), 0) {}
  size_t give(double cost) {
    const size_t group = std::ranges::min_element(load) - load.begin();
    load[group] += cost;
    return group;
  }
};

std::string settings_text(const PlannedRun& run) {
  std::vector<std::string> parts = {one_line(run.prompts)};
  for (const auto& [flag, value] : run.swept) parts.push_back(fmt::format("{}={}", flag, one_line(value)));
  return fmt::format("{}", fmt::join(parts, " "));
}

// A toy's run is a part of a pass.
std::string cost_text(double cost) {
  return cost < 10 ? fmt::format("{:.2g}", cost) : fmt::format("{:.0f}", cost);
}

std::string time_text(const SweepPlan& plan, double longest, int groups) {
  const SweepView view(plan, groups);
  const auto speed = view.seconds_per_cost();
  if (!speed) return "Time: not known before a run of this sweep has made a few steps\n";
  return fmt::format("Time: about {} for all runs, {} for what is left, at the speed of what is done\n",
                     spoken_duration(*speed * longest), spoken_duration(*view.seconds_left()));
}

}  // namespace

std::string dry_run_text(const SweepPlan& plan, int ranks) {
  const int groups = group_count(ranks, plan.ranks_per_run);
  size_t name_width = 4;
  for (const PlannedRun& run : plan.runs) name_width = std::max(name_width, run.name.size());
  std::string text = fmt::format("{:<{}}  {:>10}  {:>5}  settings\n", "run", name_width, "cost", "group");
  Shares shares(groups);
  double total = 0;
  for (const size_t index : plan.by_cost) {
    const PlannedRun& run = plan.runs[index];
    total += run.cost;
    text += fmt::format("{:<{}}  {:>10}  {:>5}  {}{}\n", run.name, name_width, cost_text(run.cost),
                        shares.give(run.cost), settings_text(run),
                        run.error.empty() ? "" : "; will fail: " + run.error);
  }
  for (const std::string& notice : plan.notices) text += notice + "\n";
  text += fmt::format(
      "{} by {} of {}. Cost: {} U-Net passes of one sample of 512 × 512 pixels, {} of them in the group with "
      "the most.\n",
      counted(std::ssize(plan.runs), "run"), counted(groups, "group"), counted(ranks, "rank"),
      cost_text(total), cost_text(std::ranges::max(shares.load)));
  return text + time_text(plan, std::ranges::max(shares.load), groups);
}

}  // namespace leco
