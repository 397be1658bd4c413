#include <fmt/format.h>
#include <fmt/ranges.h>

#include <cstdio>

#include "core/nearest_name.h"
#include "launcher/flags/doctor_flags.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/flags/flag_table.h"
#include "launcher/flags/inspect_flags.h"
#include "launcher/flags/sample_flags.h"
#include "launcher/flags/sweep_flags.h"
#include "launcher/subcommand.h"

namespace leco {
namespace {

std::vector<Flag> no_flags() {
  return {};
}

std::vector<std::string> names() {
  std::vector<std::string> found;
  for (const Subcommand& subcommand : subcommands()) found.push_back(subcommand.name);
  return found;
}

}  // namespace

const std::vector<Subcommand>& subcommands() {
  static const std::vector<Subcommand> table = {
      {"train", "[flags]", "trains a LoRA", train_command, train_help, listed_train_flags},
      {"plan", "[flags]", "shows what train would do, and trains nothing", plan_command, plan_help,
       listed_plan_flags},
      {"sweep", "SPEC.yaml", "trains many LoRAs, each with its own settings", sweep_command, sweep_help,
       listed_sweep_flags},
      {"sample", "[flags]", "draws prompts at several strengths of a LoRA", sample_command, sample_help,
       listed_sample_flags},
      {"evaluate", "[flags]", "measures what a LoRA does, and writes a report", evaluate_command,
       evaluate_help, listed_evaluate_flags},
      {"inspect", "FILE|MODEL", "shows what a LoRA file or a model holds", inspect_command, inspect_help,
       listed_inspect_flags},
      {"doctor", "[flags]", "checks ranks, GPUs and folder before a long run", doctor_command, doctor_help,
       listed_doctor_flags},
      {"completion", "bash", "prints the shell's completion of commands and flags", completion_command,
       completion_help, no_flags},
      {"help", "[COMMAND]", "prints this, or a command's flags", help_command, program_help, no_flags},
  };
  return table;
}

const Subcommand& find_subcommand(const std::string& name) {
  for (const Subcommand& subcommand : subcommands())
    if (subcommand.name == name) return subcommand;
  throw_usage(fmt::format("unknown subcommand '{}'; did you mean '{}'? There are: {} (leco --help)",
                          one_line(name), nearest_name(name, names()), fmt::join(names(), ", ")));
}

ExitStatus show(const World& world, const std::string& text) {
  if (world.rank() == 0) std::fputs(text.c_str(), stdout);
  return ExitStatus::kDone;
}

ExitStatus help_command(World& world, std::span<const std::string> arguments) {
  if (arguments.size() > 1) throw_usage("leco help takes one command: leco help train");
  return show(world, arguments.empty() ? program_help() : find_subcommand(arguments[0]).help());
}

std::string program_help() {
  std::string text =
      "leco: trains LoRA files that erase, strengthen or slide a concept of Stable\n"
      "Diffusion, from prompts alone.\n"
      "\n"
      "  leco train --pretrained_model_name_or_path=MODEL \\\n"
      "    --prompts_file=PROMPTS.toml --output_dir=DIR\n"
      "  mpirun -n 8 leco train …        the same on eight ranks, one GPU each\n"
      "  leco plan --prompts_file=PROMPTS.toml\n"
      "  leco sweep SPEC.yaml            many LoRAs, each with settings of its own\n"
      "  leco sample --pretrained_model_name_or_path=MODEL \\\n"
      "    --network_weights=LORA --prompt=TEXT --output=FILE.png\n"
      "  leco evaluate --pretrained_model_name_or_path=MODEL \\\n"
      "    --network_weights=LORA --prompts_file=PROMPTS.toml --output=DIR\n"
      "\n";
  for (const Subcommand& subcommand : subcommands())
    text += fmt::format("  {:<24}{}\n", subcommand.name + " " + subcommand.operands, subcommand.summary);
  return text +
         "\n"
         "leco COMMAND --help lists the flags of a command, each with its default.\n"
         "leco --version says what this build holds.\n";
}

}  // namespace leco
