#include "launcher/flags/sweep_flags.h"

#include <fmt/format.h>

#include "core/error.h"
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"

namespace leco {
namespace {

std::vector<Flag> sweep_flags(SweepFlags& flags) {
  std::vector<Flag> table;
  FlagGroup group(table, "Instead of training");
  group.works_aside(
      "dry_run", switch_form(flags.dry_run),
      "prints the runs, what they set, what they cost, which group gets them and, where what is done tells "
      "it, the time; writes nothing");
  group.works_aside("ranks", integer_form(flags.ranks, {1, 1'000'000}, "the processes that were started"),
                    "with --dry_run: for this many ranks");
  group.works_aside("status", switch_form(flags.status),
                    "prints what is done, running, failed and left, also while another job is at work");
  group.works_aside("report", switch_form(flags.report),
                    "writes results.csv, results.json and report.html from what is there");
  group.works_aside("help", switch_form(flags.help), "prints this (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

}  // namespace

SweepFlags parse_sweep_flags(std::span<const std::string> arguments) {
  SweepFlags flags;
  const std::vector<Flag> table = sweep_flags(flags);
  std::vector<std::string> files;
  apply_flags(table, parse_arguments(table, arguments, &files));
  if (flags.help) return flags;
  if (files.empty()) throw_usage("leco sweep takes the sweep's file: leco sweep SPEC.yaml");
  if (files.size() > 1)
    throw_usage(fmt::format("leco sweep takes one file; the second is '{}'", one_line(files[1])));
  if (flags.dry_run + flags.status + flags.report > 1)
    throw_usage("--dry_run, --status and --report each do something of their own; give one of them");
  if (flags.ranks && !flags.dry_run)
    throw_usage("--ranks is for --dry_run; a sweep runs on the ranks that mpirun or srun starts");
  flags.spec = files.front();
  return flags;
}

std::string sweep_help() {
  return "leco sweep: trains many LoRAs, each with settings of its own, from one file.\n"
         "Usage: leco sweep SPEC.yaml [--dry_run [--ranks=N] | --status | --report]\n"
         "       mpirun -n 8 leco sweep SPEC.yaml    (groups of ranks share the runs)\n"
         "The same command goes on where a sweep was stopped; several jobs may share one.\n"
         "docs/sweeps.md describes the file.\n" +
         flags_as_help(listed_sweep_flags());
}

std::vector<Flag> listed_sweep_flags() {
  static SweepFlags defaults;
  return sweep_flags(defaults);
}

}  // namespace leco
