#include "launcher/training/resume.h"

#include <ATen/Version.h>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <filesystem>

#include "core/error.h"
#include "core/version.h"
#include "io/whole_folder.h"
#include "optim/lr_schedule.h"
#include "train/pairs_json.h"
#include "train/shared_files.h"

namespace leco {
namespace {

constexpr const char* kNewest = "auto";

// On the reader: the folder, then a line for each notice.
std::string choose_state(const TrainSettings& settings) {
  if (settings.resume != kNewest) {
    if (!std::filesystem::is_directory(settings.resume))
      throw_usage(fmt::format("--resume={}: there is no such folder; give a state's folder, or auto",
                              settings.resume));
    const std::string damage = damage_of(settings.resume);
    if (!damage.empty())
      throw_usage(fmt::format("--resume={}: the state is not complete: {}", settings.resume, damage));
    return settings.resume;
  }
  std::vector<std::string> notices;
  std::string text = newest_state(settings, notices).value_or("");
  for (const std::string& notice : notices) text += "\n" + notice;
  return text;
}

// On the reader: what a start that does not go on should know; empty where there is nothing to go on from.
std::string warning_of_earlier_states(const TrainSettings& settings) {
  const auto state = highest_state(settings);
  if (!state) return "";
  return fmt::format(
      "'{}' is of an earlier run, and this one starts at step 0: --resume=auto would go on; when this run "
      "saves "
      "a state of its own, the earlier ones are set aside as '….earlier'",
      *state);
}

// A change is told as "network_dim: 4, now 8".
void compare(std::vector<std::string>& changes, const std::string& name, const std::string& then,
             const std::string& now) {
  if (then != now) changes.push_back(fmt::format("{}: {}, now {}", name, then, now));
}

std::string value_of(const StateRecord::Entries& entries, const std::string& name) {
  for (const auto& [key, value] : entries)
    if (key == name) return value;
  return "not set";
}

void compare_entries(std::vector<std::string>& changes, const StateRecord::Entries& then,
                     const StateRecord::Entries& now) {
  const auto may_differ = [](const std::string& name) {
    return name.starts_with("save_") || name == "max_train_steps" || name == "lr_decay_steps";
  };
  for (const auto& [name, value] : now)
    if (!may_differ(name)) compare(changes, name, value_of(then, name), value);
  for (const auto& [name, value] : then)
    if (!may_differ(name) && value_of(now, name) == "not set") compare(changes, name, value, "not set");
}

// Whether the steps that are done would have had other learning rates under the settings of now.
bool rates_differ(const StateRecord& then, const TrainSettings& now) {
  TrainSettings before = now;
  before.max_train_steps = then.max_train_steps;
  before.lr_schedule.decay = then.lr_decay_steps;
  for (int64_t step = 0; step < then.step; ++step)
    if (learning_rate(before, step) != learning_rate(now, step)) return true;
  return false;
}

void compare_lengths(std::vector<std::string>& changes, const StateRecord& then, const TrainSettings& now) {
  const bool same =
      then.max_train_steps == now.max_train_steps && then.lr_decay_steps == now.lr_schedule.decay;
  if (same) return;
  const bool grew =
      now.max_train_steps >= then.max_train_steps && now.lr_schedule.decay >= then.lr_decay_steps;
  if (grew && !rates_differ(then, now)) return;
  const std::string why =
      grew ? " (the steps that are done would have had other learning rates)" : " (they may only grow)";
  compare(changes, "max_train_steps", std::to_string(then.max_train_steps),
          std::to_string(now.max_train_steps) + why);
  compare(changes, "lr_decay_steps", fmt::format("{}", then.lr_decay_steps),
          fmt::format("{}{}", now.lr_schedule.decay, why));
}

}  // namespace

std::optional<Resumption> find_resumption(const TrainSettings& settings, World& world, FileSource& files,
                                          std::vector<std::string>& notices) {
  if (settings.resume.empty()) {
    const std::string warning =
        do_on_reader(world.host(), [&] { return warning_of_earlier_states(settings); });
    if (!warning.empty()) notices.push_back(warning);
    return std::nullopt;
  }
  const std::string chosen = do_on_reader(world.host(), [&] { return choose_state(settings); });
  std::vector<std::string> lines;
  for (size_t begin = 0; begin <= chosen.size();) {
    const size_t end = std::min(chosen.find('\n', begin), chosen.size());
    lines.push_back(chosen.substr(begin, end - begin));
    begin = end + 1;
  }
  notices.insert(notices.end(), lines.begin() + 1, lines.end());
  if (lines[0].empty()) {
    notices.push_back(
        fmt::format("--resume=auto: there is no complete state of '{}' in '{}', so the run starts at step 0",
                    settings.output_name, settings.output_dir));
    return std::nullopt;
  }
  return Resumption{lines[0], read_state_record(files, lines[0])};
}

StateRecord record_of(const Provenance& provenance, int64_t finished_steps) {
  const TrainSettings& settings = provenance.settings;
  return {.step = finished_steps,
          .seed = *settings.seed,
          .pairs_per_step = *settings.pairs_per_step,
          .threads = *settings.threads,
          .max_train_steps = settings.max_train_steps,
          .lr_decay_steps = settings.lr_schedule.decay,
          .settings = provenance.effective,
          .pairs = pairs_json(provenance.pairs),
          .model_files = provenance.model_files,
          .device = provenance.device,
          .instructions = at::get_cpu_capability(),
          .version = kVersion};
}

void take_fixed_settings(TrainSettings& settings, const StateRecord& record) {
  settings.seed = settings.seed.value_or(record.seed);
  settings.pairs_per_step = settings.pairs_per_step.value_or(record.pairs_per_step);
  settings.threads = settings.threads.value_or(record.threads);
}

void check_same_run(const Resumption& from, const StateRecord& now, const TrainSettings& settings,
                    const std::string& start_anew) {
  const StateRecord& then = from.record;
  if (then.step > settings.max_train_steps)
    throw_usage(fmt::format("'{}' is of step {}, beyond --max_train_steps={}; take more steps, or {}",
                            from.folder, then.step, settings.max_train_steps, start_anew));
  std::vector<std::string> changes;
  compare_entries(changes, then.settings, now.settings);
  compare_lengths(changes, then, settings);
  if (then.pairs != now.pairs) changes.push_back("the prompts");
  if (then.model_files != now.model_files) changes.push_back("the model's files");
  compare(changes, "device", then.device, now.device);
  if (!changes.empty())
    throw_usage(
        fmt::format("'{}' cannot be resumed with other settings than it was made with: {}; take them back, "
                    "or {}",
                    from.folder, fmt::join(changes, "; "), start_anew));
}

std::string notice_of_other_arithmetic(const Resumption& from, const StateRecord& now) {
  std::vector<std::string> changes;
  compare(changes, "version", from.record.version, now.version);
  if (now.device.starts_with("cpu") && !from.record.instructions.empty())
    compare(changes, "the CPU's instructions", from.record.instructions, now.instructions);
  if (changes.empty()) return "";
  return fmt::format(
      "'{}' was made elsewhere ({}): the result may have other bytes than that of a run without a stop",
      from.folder, fmt::join(changes, "; "));
}

}  // namespace leco
