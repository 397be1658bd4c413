// `leco evaluate`: what a LoRA does, in numbers, curves and pictures.
#include <cstdio>

#include "launcher/evaluate/evaluation.h"
#include "launcher/flags/evaluate_flags.h"
#include "launcher/subcommand.h"
#include "train/shared_files.h"

namespace leco {

ExitStatus evaluate_command(World& world, std::span<const std::string> arguments) {
  const EvaluateSettings settings = parse_evaluate_flags(arguments);
  if (settings.help) return show(world, evaluate_help());
  const auto files = share_files(world.host());
  LoadedParts model(settings.model, *files);
  const auto written = evaluate(settings, model, world, *files, [] { return 0; });
  if (world.rank() == 0) std::fputs(written->c_str(), stdout);
  return ExitStatus::kDone;
}

}  // namespace leco
