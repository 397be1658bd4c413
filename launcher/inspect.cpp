// `leco inspect FILE`: what a LoRA file holds.
#include <fmt/format.h>

#include <cstdio>

#include "io/digest.h"
#include "launcher/flag_groups.h"
#include "launcher/flag_help.h"
#include "launcher/subcommand.h"
#include "report/lora_report.h"

namespace leco {
namespace {

std::vector<Flag> inspect_flags(bool& json, bool& help) {
  std::vector<Flag> table;
  FlagGroup group(table, "Flags");
  group.works_aside("json", switch_form(json), "prints everything as one JSON object, long values whole");
  group.works_aside("help", switch_form(help), "prints this list (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

std::string inspect_help(std::span<const Flag> table) {
  return "leco inspect: shows what a LoRA file holds: modules, ranks, norms and metadata, whoever wrote it.\n"
         "Usage: leco inspect FILE.safetensors [--json]\n"
         "Norms are Frobenius norms; the change of a module is up·down·alpha/rank, what it adds to its layer "
         "at "
         "strength 1.\n" +
         flags_as_help(table);
}

}  // namespace

ExitStatus inspect_command(World& world, std::span<const std::string> arguments) {
  if (world.rank() != 0) return ExitStatus::kDone;  // nothing here needs the others
  bool json = false, help = false;
  const std::vector<Flag> table = inspect_flags(json, help);
  std::vector<std::string> paths;
  apply_flags(table, parse_arguments(table, arguments, &paths));
  if (help) {
    std::fputs(inspect_help(table).c_str(), stdout);
    return ExitStatus::kDone;
  }
  if (paths.size() != 1)
    throw_usage(fmt::format("leco inspect takes one file, {} were given: leco inspect FILE.safetensors",
                            paths.size()));
  const SafetensorsFile file(paths[0]);
  const LoraReport report{.path = paths[0],
                          .bytes = file.size(),
                          .data_hash = sha256(file.data()),
                          .metadata = file.header().metadata,
                          .lora = summarise_lora(file, paths[0])};
  std::fputs((json ? lora_json(report) : lora_text(report)).c_str(), stdout);
  return ExitStatus::kDone;
}

}  // namespace leco
