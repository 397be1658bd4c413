#include "launcher/flags/flag_table.h"

#include <fmt/format.h>

#include "core/error.h"
#include "launcher/flags/config_file.h"
#include "launcher/flags/doctor_flags.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"
#include "launcher/flags/idle_settings.h"
#include "launcher/flags/inspect_flags.h"
#include "launcher/flags/network_args.h"
#include "launcher/flags/rate_checks.h"
#include "launcher/flags/sample_flags.h"
#include "launcher/flags/sweep_flags.h"

namespace leco {
namespace {

// Flags that are commands to the program rather than settings; `path` gets the file of flags.
void add_program_flags(std::string& path, std::vector<Flag>& table) {
  FlagGroup group(table, "The command line");
  group.works_aside(
      "config_file", text_form(path, "FILE"),
      "a TOML file of flags; sections are ignored, .toml may be left off, the command line wins");
  table.back().is_setting = false;
  group.works_aside("output_config", unbound_form(ValueKind::kSwitch),
                    "writes the given flags into a new file, named by --config_file, and stops");
  table.back().is_setting = false;
  group.works_aside("help", unbound_form(ValueKind::kSwitch), "prints this list (also -h)");
  table.back().is_setting = false;
}

void add_plan_flags(ParsedPlan& plan, std::vector<Flag>& table) {
  FlagGroup group(table, "The plan");
  group.works_aside("json", switch_form(plan.json), "prints the plan as one JSON object");
  table.back().is_setting = false;
  group.works_aside("ranks", integer_form(plan.ranks, {1, 1'000'000}, "the processes that were started"),
                    "plans for this many ranks");
  table.back().is_setting = false;
}

// Fills what `table` is bound to.
void parse_into(ParsedTrain& parsed, std::vector<Flag> table, std::span<const std::string> arguments,
                const ReadFile& read) {
  std::string config_path;
  add_program_flags(config_path, table);
  const std::vector<Given> command_line = parse_arguments(table, arguments);
  if (const Given* help = find_given(command_line, "help"); help != nullptr && help->word() == "true") {
    parsed.help = true;
    return;
  }
  std::vector<Given> all;
  const Given* file = find_given(command_line, "config_file");
  if (const Given* output = find_given(command_line, "output_config");
      output != nullptr && output->word() == "true") {
    if (file == nullptr)
      throw_usage("--output_config needs --config_file=FILE, the name of the file to write");
    parsed.notices = apply_flags(table, command_line);
    parsed.output.emplace(config_path_of(file->word()), config_file_text(table, command_line));
    return;
  }
  if (file != nullptr) all = read_config_file(file->word(), table, read);
  all.insert(all.end(), command_line.begin(), command_line.end());
  parsed.notices = apply_flags(table, all);
}

void check_and_finish(ParsedTrain& parsed, bool for_training) {
  const TrainSettings& settings = parsed.settings;
  validate(settings, for_training);
  for (const std::string& notice : network_notices(settings)) parsed.notices.push_back(notice);
  if (settings.save_model_as != SaveFormat::kSafetensors && !settings.no_metadata)
    parsed.notices.push_back(
        "--save_model_as: a .ckpt or .pt file has no place for metadata; what the LoRA was trained with "
        "stands in "
        "the run.json beside it");
  if (settings.save_last_n_steps && !settings.save_every_n_steps)
    parsed.notices.push_back(
        fmt::format("--save_last_n_steps={} has no effect here: without --save_every_n_steps there are no "
                    "files to remove",
                    *settings.save_last_n_steps));
  if (settings.pairs_per_step && settings.gradient_accumulation_steps != 1) {
    parsed.notices.push_back(
        fmt::format("--gradient_accumulation_steps={} has no effect here: --pairs_per_step={} "
                    "says how many items a step has",
                    settings.gradient_accumulation_steps, *settings.pairs_per_step));
  }
  for (std::string& notice : idle_loss_settings(settings)) parsed.notices.push_back(std::move(notice));
  for (std::string& notice : idle_report_settings(settings)) parsed.notices.push_back(std::move(notice));
  for (std::string& notice : rate_notices(settings)) parsed.notices.push_back(std::move(notice));
  parsed.effective = effective_settings(settings);
}

std::vector<Flag> plan_flags(ParsedPlan& plan) {
  std::vector<Flag> table;
  add_plan_flags(plan, table);
  std::vector<Flag> training = train_flags(plan.settings);
  table.insert(table.end(), training.begin(), training.end());
  return table;
}

NamedValues shown_values(const TrainSettings& settings, bool all) {
  TrainSettings copy = settings;
  NamedValues values;
  for (const Flag& flag : train_flags(copy)) {
    if (flag.status != FlagStatus::kWorks || !(all || flag.determines_result)) continue;
    values.emplace_back(flag.name, flag.form.show());
  }
  return values;
}

void require(const std::string& value, std::string_view flag, std::string_view what) {
  if (value.empty()) throw_usage(fmt::format("--{} is missing: give {}, --{}=…", flag, what, flag));
}

constexpr size_t kLongestName = 180;  // bytes; file systems take 255, and names get endings of up to 60

void check_name(std::string_view flag, const std::string& name) {
  if (name == "." || name == ".." || name.find('/') != std::string::npos || name != one_line(name) ||
      name.size() > kLongestName)
    throw_usage(fmt::format("--{}={}: expected a file name without '/' of at most {} bytes", flag,
                            one_line(name), kLongestName));
}

void check_output_name(const std::string& name) {
  if (name.empty())
    throw_usage("--output_name= is empty: expected a file name without '/'; the folder is --output_dir");
  check_name("output_name", name);
}

std::vector<Flag> flags_of_plan_alone() {
  static ParsedPlan defaults;
  std::vector<Flag> table;
  add_plan_flags(defaults, table);
  return table;
}

// The part of another subcommand than `leco train`.
std::string flags_of(const std::string& command, std::vector<Flag> table) {
  for (Flag& flag : table) flag.group = fmt::format("{}: {}", command, flag.group);
  return flags_as_markdown(table);
}

}  // namespace

std::vector<Flag> train_flags(TrainSettings& settings) {
  std::vector<Flag> table;
  add_model_flags(settings, table);
  add_step_flags(settings, table);
  add_optimizer_flags(settings, table);
  add_loss_flags(settings, table);
  add_machine_flags(settings, table);
  add_file_flags(settings, table);
  return table;
}

ParsedTrain parse_train_flags(std::span<const std::string> arguments, const ReadFile& read) {
  ParsedTrain parsed;
  parse_into(parsed, train_flags(parsed.settings), arguments, read);
  if (!parsed.stops()) check_and_finish(parsed, true);
  return parsed;
}

ParsedTrain check_train_flags(std::span<const Given> given) {
  ParsedTrain parsed;
  parsed.notices = apply_flags(train_flags(parsed.settings), given);
  check_and_finish(parsed, true);
  return parsed;
}

ParsedPlan parse_plan_flags(std::span<const std::string> arguments, const ReadFile& read) {
  ParsedPlan parsed;
  parse_into(parsed, plan_flags(parsed), arguments, read);
  if (!parsed.stops()) check_and_finish(parsed, false);
  return parsed;
}

NamedValues effective_settings(const TrainSettings& settings) {
  return shown_values(settings, true);
}

NamedValues result_settings(const TrainSettings& settings) {
  return shown_values(settings, false);
}

void validate(const TrainSettings& settings, bool for_training) {
  require(settings.prompts_file, "prompts_file", "the file with the prompts");
  if (for_training) {
    require(settings.pretrained_model_name_or_path, "pretrained_model_name_or_path", "the model's folder");
    require(settings.output_dir, "output_dir", "the folder for the result");
  }
  check_output_name(settings.output_name);
  if (const int64_t most = most_sampler_steps(settings.rollout_sampler, kRolloutOffset);
      settings.max_denoising_steps > most)
    throw_usage(fmt::format("--max_denoising_steps={}: expected at most {} with --rollout_sampler={}",
                            settings.max_denoising_steps, most, sampler_name(settings.rollout_sampler)));
  if (settings.log.with_tensorboard)
    require(settings.log.logging_dir, "logging_dir", "the folder for event files");
  if (settings.preview.is_on())
    require(settings.preview.prompts, "sample_prompts", "the file of prompts to draw");
  check_name("log_prefix", settings.log.prefix);
  check_name("log_tracker_name", settings.log.tracker_name);
  check_rates(settings);
  validate_network(settings);
  const auto require_type = [&](bool given, const char* flag, MixedPrecision type, const char* word) {
    if (given && settings.mixed_precision != type)
      throw_usage(fmt::format("--{}: the LoRA computes in the U-Net's type, so it needs --mixed_precision={}",
                              flag, word));
  };
  require_type(settings.full_fp16, "full_fp16", MixedPrecision::kFloat16, "fp16");
  require_type(settings.full_bf16, "full_bf16", MixedPrecision::kBFloat16, "bf16");
  if (!settings.training_comment.empty() &&
      (settings.no_metadata || settings.save_model_as != SaveFormat::kSafetensors)) {
    throw_usage(
        fmt::format("--training_comment is stored in the metadata, and {} writes none; leave one of "
                    "them out",
                    settings.no_metadata ? "--no_metadata" : "--save_model_as=ckpt or pt"));
  }
}

std::vector<Flag> listed_train_flags() {
  static TrainSettings defaults;
  static std::string config_path;
  std::vector<Flag> table = train_flags(defaults);
  add_program_flags(config_path, table);
  return table;
}

std::vector<Flag> listed_plan_flags() {
  static ParsedPlan defaults;
  static std::string config_path;
  std::vector<Flag> table = plan_flags(defaults);
  add_program_flags(config_path, table);
  return table;
}

std::string train_help() {
  return "leco train: trains a LoRA from prompts alone.\n"
         "Usage: leco train --pretrained_model_name_or_path=MODEL --prompts_file=FILE \\\n"
         "         --output_dir=DIR --output_name=NAME [flags]\n"
         "       mpirun -n 8 leco train …    (one process a GPU or CPU slot)\n"
         "Flags are written --name=value or --name value; a switch alone, and it is off\n"
         "where no default is shown. What most runs set besides:\n"
         "  --network_dim=8 --network_alpha=4 --learning_rate=1e-4 --max_train_steps=500\n" +
         flags_as_help(listed_train_flags());
}

std::string plan_help() {
  return "leco plan: shows what a training would do, and trains nothing.\n"
         "Usage: leco plan --prompts_file=FILE [--pretrained_model_name_or_path=MODEL]\n"
         "         [flags of leco train]\n" +
         flags_as_help(listed_plan_flags());
}

std::string flags_markdown() {
  return "# Flags of every command\n"
         "\n"
         "This page is written by the program's own tables of flags (a test compares the two), as is each "
         "`--help`. First those of\n"
         "`leco train`, then what the other commands take; `leco plan` takes those of `leco train` as well.\n"
         "\n"
         "Flags are written `--name=value` or `--name value`; a switch alone, or as `--name=true` and "
         "`--name=false`; a\n"
         "list as `--name one two`. Given twice, the last one counts. `--config_file run.toml` reads flags "
         "from a file:\n"
         "keys are the names, sections are ignored, and the command line wins.\n"
         "\n"
         "Status: *works*; *no effect*: accepted, and one line says why it changes nothing; *refused*: an "
         "error with the\n"
         "reason. Flags of the last two kinds pass without a word when they are given their default, since "
         "that "
         "asks for nothing.\n" +
         flags_as_markdown(listed_train_flags()) + flags_of("leco plan", flags_of_plan_alone()) +
         flags_of("leco sweep", listed_sweep_flags()) + flags_of("leco sample", listed_sample_flags()) +
         flags_of("leco evaluate", listed_evaluate_flags()) +
         flags_of("leco inspect", listed_inspect_flags()) + flags_of("leco doctor", listed_doctor_flags());
}

}  // namespace leco
