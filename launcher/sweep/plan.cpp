#include "launcher/sweep/plan.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <glob.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <numeric>
#include <set>
#include <sstream>
#include <string_view>
#include <utility>

#include "config/prompt_file.h"
#include "core/error.h"
#include "io/digest.h"
#include "launcher/flags/config_file.h"
#include "plan/work.h"
#include "sweep/run_table.h"
#include "train/pairs_json.h"
#include "train/shared_files.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

constexpr int64_t kCountedSteps = 32;  // of which a run's cost is a multiple
constexpr size_t kMostPromptsAhead = 4000;
const std::vector<std::string> kOwn = {"prompts_file", "output_dir", "output_name", "resume"};

// Equal values have equal texts, however they were written.
std::string text_of(const Given& given) {
  if (given.kind != ValueKind::kNumber) return fmt::format("{}", fmt::join(given.words, " "));
  double value = 0;
  const std::string& word = given.word();
  const auto [end, failure] = std::from_chars(word.data(), word.data() + word.size(), value);
  return failure == std::errc() && end == word.data() + word.size() ? fmt::format("{}", value) : word;
}

// Files that a pattern stands for, in alphabetical order; a name without wildcards stands for itself. A line
// each.
std::string matches_of(const std::string& pattern) {
  glob_t found{};
  const int failure = glob(pattern.c_str(), GLOB_BRACE, nullptr, &found);
  std::string lines;
  for (size_t i = 0; failure == 0 && i < found.gl_pathc; ++i) lines += fmt::format("{}\n", found.gl_pathv[i]);
  globfree(&found);
  return lines;
}

// The prompts of one source, read once for all its runs.
struct ReadSource {
  PromptFile prompts;
  std::string pairs;  // as text
  std::string error;
};

class Planner {
 public:
  Planner(const std::string& path, World& world, FileSource& files)
      : world_(world),
        files_(files),
        spec_(parse_sweep_spec(path, files.read(path))),
        table_(train_flags(unread_)) {}

  SweepPlan run() {
    SweepPlan plan{.name = spec_.name,
                   .output_dir = spec_.output_dir,
                   .ranks_per_run = spec_.ranks_per_run,
                   .max_retries = spec_.max_retries};
    for (const ConfigEntry& entry : spec_.base) given(entry);  // also what every run sets anew
    if (spec_.evaluate) plan.evaluation = evaluation();
    find_sources();
    RunTable table = expand_runs(
        spec_, sources_, [this](const ConfigEntry& entry) { return text_of(given(entry)); },
        [this](const std::string& flag) { return usual_text(flag); });
    plan.notices = std::move(table.notices);
    read_sources(plan);
    for (SweepRun& run : table.runs) plan.runs.push_back(planned(std::move(run), plan.notices));
    const auto draws_seed = [](const PlannedRun& run) { return !run.parsed.settings.seed.has_value(); };
    if (plan.runs.size() > 1 && std::ranges::any_of(plan.runs, draws_seed))
      plan.notices.push_back(
          "no seed is given, so each run draws one of its own; with a seed in 'base' runs differ only in "
          "what is swept");
    std::ranges::sort(plan.notices);
    plan.notices.erase(std::ranges::unique(plan.notices).begin(), plan.notices.end());
    plan.by_cost = costliest_first(plan.runs);
    return plan;
  }

 private:
  // Of those that cost the same one model's come after another's, since whoever changes the model loads it.
  static std::vector<size_t> costliest_first(const std::vector<PlannedRun>& runs) {
    std::vector<size_t> order(runs.size());
    std::iota(order.begin(), order.end(), size_t{0});
    std::ranges::stable_sort(order, {}, [&](size_t run) {
      return std::pair(-runs[run].cost,
                       std::string_view(runs[run].parsed.settings.pretrained_model_name_or_path));
    });
    return order;
  }

  Given given(const ConfigEntry& entry) const {
    if (std::ranges::find(kOwn, entry.key) != kOwn.end())
      fail_at(spec_.path, entry.line,
              fmt::format("'{}' is set by the sweep itself, for each run; leave it out", entry.key));
    return given_by(entry, spec_.path, table_);
  }

  EvaluateSettings evaluation() const {
    std::vector<Given> entries;
    for (const ConfigEntry& entry : *spec_.evaluate) {
      Given given{.name = entry.key, .kind = ValueKind::kWords, .words = {}, .place = {}};
      given.place = fmt::format("{}, line {}", spec_.path, entry.line);
      std::vector<ConfigNode> values = {entry.value};
      if (entry.value.is(ConfigNode::Kind::kList)) values = entry.value.list;
      for (const ConfigNode& value : values) given.words.push_back(word_of(value, given));
      entries.push_back(std::move(given));
    }
    return parse_sweep_evaluation(entries);
  }

  static std::string word_of(const ConfigNode& value, const Given& of) {
    using Kind = ConfigNode::Kind;
    if (value.is(Kind::kText)) return value.text;
    if (value.is(Kind::kInteger)) return std::to_string(value.integer);
    if (value.is(Kind::kNumber)) return fmt::format("{}", value.number);
    if (value.is(Kind::kFlag)) return value.flag ? "true" : "false";
    throw_usage(fmt::format("{}: '{}' is {}; expected a value, or a list of values", of.place, of.name,
                            describe(value)));
  }

  void find_sources() {
    for (const ConfigNode& slider : spec_.sliders)
      sources_.push_back({slider.find("name")->value.text, "", slider.line, &slider});
    for (const ConfigNode& pattern : spec_.prompts) {
      std::istringstream lines(do_on_reader(world_.host(), [&] { return matches_of(pattern.text); }));
      bool found = false;
      for (std::string path; std::getline(lines, path); found = true)
        sources_.push_back({fs::path(path).stem().string(), path, pattern.line});
      if (!found)
        fail_at(spec_.path, pattern.line, fmt::format("prompts: there is no file '{}'", shown(pattern.text)));
    }
  }

  // What a flag has where a run does not set it.
  std::string usual_text(const std::string& flag) const {
    for (auto entry = spec_.base.rbegin(); entry != spec_.base.rend(); ++entry)
      if (entry->key == flag) return text_of(given(*entry));
    const Form& form = find_flag(table_, flag)->form;
    const std::string usual = form.show();
    const bool says_how_it_is_found = form.kind != ValueKind::kWords && usual.find(' ') != std::string::npos;
    if (says_how_it_is_found) return "default";
    return text_of({.name = flag, .kind = form.kind, .words = {usual}, .place = {}});
  }

  // A slider's mistakes are told by the line of the sweep's file, before anything starts.
  void read_sources(SweepPlan& plan) {
    std::set<std::string> prompts;
    for (const PromptSource& source : sources_) {
      ReadSource& read = read_.emplace_back();
      try {
        read.prompts = source.slider != nullptr ? load_prompt_file(spec_.path, slider_reader(*source.slider))
                                                : load_prompt_file(source.path, reader_of(files_));
      } catch (const Error& error) {
        if (source.slider != nullptr || error.status() != ExitStatus::kUsage) throw;
        read.error = error.what();
        continue;
      }
      read.pairs = pairs_json(read.prompts.pairs);
      for (const PromptPair& pair : read.prompts.pairs)
        for (const std::string* prompt : {&pair.target, &pair.positive, &pair.unconditional, &pair.neutral})
          if (prompts.size() < kMostPromptsAhead) prompts.insert(*prompt);
    }
    plan.prompts.assign(prompts.begin(), prompts.end());
  }

  ReadFile slider_reader(const ConfigNode& slider) {
    return [this, &slider](const std::string& path) {
      return path == spec_.path ? slider_file(slider, folder_of_spec(), /*keeps_lines=*/true)
                                : files_.read(path);
    };
  }

  std::string folder_of_spec() const { return fs::absolute(spec_.path).parent_path().string(); }

  PlannedRun planned(SweepRun run, std::vector<std::string>& notices) {
    const PromptSource& source = sources_[run.source];
    const ReadSource& read = read_[run.source];
    PlannedRun planned{.name = run.name, .prompts = source.name, .swept = std::move(run.swept)};
    planned.folder = (fs::path(spec_.output_dir) / run.name).string();
    std::string prompts_file = source.path;
    if (source.slider != nullptr) {
      prompts_file = (fs::path(planned.folder) / (for_name(source.name) + ".yaml")).string();
      planned.slider = slider_file(*source.slider, folder_of_spec(), /*keeps_lines=*/false);
    }
    planned.parsed = checked(run, planned.folder, prompts_file);
    for (std::string& notice : planned.parsed.notices) notices.push_back(std::move(notice));
    planned.parsed.notices.clear();
    planned.parsed.start_anew =
        fmt::format("remove the folder '{}' to have the run done anew", planned.folder);
    TrainSettings& settings = planned.parsed.settings;
    if (!settings.pairs_per_step)
      settings.pairs_per_step = settings.gradient_accumulation_steps * spec_.ranks_per_run;
    planned.asked = asked(settings, read.pairs);
    planned.error = read.error;
    if (read.error.empty()) planned.cost = cost_of(settings, read.prompts.pairs);
    return planned;
  }

  ParsedTrain checked(const SweepRun& run, const std::string& folder, const std::string& prompts_file) const {
    std::vector<Given> all = {{"save_state", ValueKind::kSwitch, {"true"}, ""}};  // base may say otherwise
    for (const auto* entries : {&spec_.base, &run.values})
      for (const ConfigEntry& entry : *entries) all.push_back(given(entry));
    for (const auto& [name, value] : NamedValues{{"prompts_file", prompts_file},
                                                 {"output_dir", folder},
                                                 {"output_name", run.name},
                                                 {"resume", "auto"}})
      all.push_back({name, ValueKind::kText, {value}, ""});
    try {
      return check_train_flags(all);
    } catch (const Error& error) {
      const std::string what = error.what();
      if (what.starts_with(spec_.path)) throw;
      throw_usage(fmt::format("{}: run '{}': {}", spec_.path, run.name, what));
    }
  }

  static NamedValues asked(const TrainSettings& settings, const std::string& pairs) {
    NamedValues values = result_settings(settings);
    std::erase_if(values, [](const auto& value) { return value.first == "device"; });
    const auto unset = [&](const char* name) {
      const auto found = std::ranges::find(values, name, &NamedValues::value_type::first);
      if (found != values.end()) found->second.clear();
    };
    if (!settings.seed) unset("seed");
    if (!settings.threads) unset("threads");
    values.emplace_back("pretrained_model_name_or_path", settings.pretrained_model_name_or_path);
    values.emplace_back("network_weights", settings.network_weights);
    values.emplace_back(kPromptsChecksum, pairs.empty() ? "" : sha256(pairs));
    return values;
  }

  double cost_of(TrainSettings settings, const std::vector<PromptPair>& pairs) const {
    settings.seed = settings.seed.value_or(0);
    const int ranks = static_cast<int>(spec_.ranks_per_run);
    const WorkEstimate work = estimate_work(plan_settings(settings, ranks), pairs,
                                            std::min(settings.max_train_steps, kCountedSteps), ranks);
    return work.cost.total() * static_cast<double>(settings.max_train_steps);
  }

  World& world_;
  FileSource& files_;
  SweepSpec spec_;
  TrainSettings unread_;
  std::vector<Flag> table_;
  std::vector<PromptSource> sources_;
  std::vector<ReadSource> read_;
};

}  // namespace

SweepPlan plan_sweep(const std::string& path, World& world, FileSource& files) {
  if (!path.ends_with(".yaml") && !path.ends_with(".yml"))
    throw_usage(fmt::format("'{}': a sweep's file is YAML; its name must end in .yaml or .yml", path));
  return Planner(path, world, files).run();
}

std::vector<SweepRecord::Run> asked_runs(const SweepPlan& plan) {
  std::vector<SweepRecord::Run> runs;
  for (const PlannedRun& run : plan.runs) runs.push_back({run.name, run.asked});
  return runs;
}

int group_count(int ranks, int64_t ranks_per_run) {
  return static_cast<int>(std::max<int64_t>(1, ranks / ranks_per_run));
}

int group_of_rank(int rank, int ranks, int64_t ranks_per_run) {
  return static_cast<int>(std::min<int64_t>(rank / ranks_per_run, group_count(ranks, ranks_per_run) - 1));
}

std::vector<std::vector<int>> ranks_of_groups(int ranks, int64_t ranks_per_run) {
  std::vector<std::vector<int>> groups(static_cast<size_t>(group_count(ranks, ranks_per_run)));
  for (int rank = 0; rank < ranks; ++rank)
    groups[static_cast<size_t>(group_of_rank(rank, ranks, ranks_per_run))].push_back(rank);
  return groups;
}

}  // namespace leco
