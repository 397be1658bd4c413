#include "launcher/sweep/help.h"

#include <chrono>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <thread>
#include <utility>

#include "comm/gather_texts.h"
#include "launcher/training/run_record.h"
#include "plan/device_kinds.h"
#include "train/run_state.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr auto kNap = std::chrono::milliseconds(2);

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What a group's ranks compute on. Ranks of another kind would make other bytes.
std::string kind_of(const SweepPlan& plan, World& group) {
  const bool on_cpu = plan.runs.front().parsed.settings.device == DeviceChoice::kCpu;
  const torch::Device device = choose_device(on_cpu ? "cpu" : "auto", group.local_rank());
  return kinds_text(gather_texts(group.host(), describe_arithmetic(device)));
}

// In the run's folder: the steps after which it was stopped for help, a line each. A start that is killed
// leaves it to the next one.
std::string note_path(const TrainSettings& settings) {
  return (fs::path(settings.output_dir) / "sweep.help").string();
}

// Between the first ranks of groups.
class LetterPost final : public HelpPost {
 public:
  LetterPost(const SweepPlan& plan, int ranks_of_job, SweepTeam& team)
      : plan_(plan), ranks_of_job_(ranks_of_job), team_(team) {}

  void send(int group, const std::string& text) override {
    team_.home().send(team_.ranks_of(group).front(), text);
  }
  std::optional<std::pair<int, std::string>> receive() override {
    auto letter = team_.home().receive();
    if (!letter) return std::nullopt;
    return std::pair(group_of_rank(letter->from, ranks_of_job_, plan_.ranks_per_run),
                     std::move(letter->text));
  }

 private:
  const SweepPlan& plan_;
  int ranks_of_job_;
  SweepTeam& team_;
};

}  // namespace

SweepHelp::SweepHelp(const SweepPlan& plan, int ranks_of_job, SweepTeam& team)
    : team_(team),
      post_(std::make_unique<LetterPost>(plan, ranks_of_job, team)),
      offers_(*post_, team.group(), group_count(ranks_of_job, plan.ranks_per_run),
              kind_of(plan, team.home())) {}

void SweepHelp::wait_a_little(const std::function<int()>& stop) {
  look();
  stop();
  std::this_thread::sleep_for(kNap);
}

std::optional<HelpOffers::Call> SweepHelp::offer(const std::function<int()>& stop) {
  while (stop() == 0 && offers_.ask()) {
    while (!offers_.has_answer()) wait_a_little(stop);
    if (auto call = offers_.take_call()) return call;
  }
  return std::nullopt;
}

void SweepHelp::begin_run(const TrainSettings& settings) {
  offers_.begin_run();
  takes_help_ = true;
  std::ifstream note(note_path(settings));
  joined_at_.assign(std::istream_iterator<int64_t>(note), {});
}

void SweepHelp::begin_start() {
  pace_.begin(seconds_now());
}

bool SweepHelp::is_wanted(const TrainSettings& settings, int64_t finished_steps) {
  pace_.note(finished_steps, seconds_now());
  HelpCase help{.packs = (*settings.pairs_per_step - 1) / settings.items_per_pass + 1,
                .ranks = team_.world().size()};
  const std::vector<int>& waiting = offers_.waiting();
  size_t useful = 0;
  for (; takes_help_ && useful < waiting.size() && help.ranks + help.offered < help.packs; ++useful)
    help.offered += std::ssize(team_.ranks_of(waiting[useful]));
  offers_.decline(useful);
  if (waiting.empty() || !pace_.is_known()) return false;
  help.seconds_left = pace_.seconds_left(settings.max_train_steps);
  help.start_seconds = pace_.start_seconds();
  const HelpVerdict verdict = judge_help(help);
  if (verdict == HelpVerdict::kNever) refuse();
  if (verdict != HelpVerdict::kNow) return false;
  joined_at_.push_back(finished_steps);
  std::ofstream(note_path(settings), std::ios::app) << finished_steps << '\n';  // before the state is there
  return true;
}

// A run alone would not have saved them.
void SweepHelp::remove_states(const TrainSettings& settings) const {
  const int64_t every = settings.save_state ? settings.save_every_n_steps.value_or(0) : 0;
  std::error_code ignored;
  for (const int64_t step : joined_at_)
    if (step < settings.max_train_steps && (every == 0 || step % every != 0))
      fs::remove_all(state_path(settings, step), ignored);
  if (!joined_at_.empty()) fs::remove(note_path(settings), ignored);
}

std::vector<int> SweepHelp::call(size_t run) {
  std::vector<int> groups = team_.groups();
  groups.insert(groups.end(), offers_.waiting().begin(), offers_.waiting().end());
  offers_.call(run, groups);
  return groups;
}

}  // namespace leco
