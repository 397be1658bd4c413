// `leco train`: settings and prompts in, a LoRA out.
#include <cstdio>

#include "core/fault.h"
#include "core/log.h"
#include "launcher/flags/flag_table.h"
#include "launcher/resolve.h"
#include "launcher/stop_signal.h"
#include "launcher/subcommand.h"
#include "launcher/training/training.h"
#include "train/shared_files.h"

namespace leco {

ExitStatus train_command(World& world, std::span<const std::string> arguments) {
  fault_point(FaultPoint::kStart);
  catch_stop_signals();
  const auto files = share_files(world.host());
  const ParsedTrain parsed = parse_train_flags(arguments, reader_of(*files));
  if (parsed.help) return show(world, train_help());
  if (parsed.output) {
    do_on_reader(world.host(), [&] { write_config(*parsed.output); });
    return show(world, parsed.output->path + "\n");
  }
  log::configure(console_of(parsed.settings));
  LoadedParts parts(parsed.settings, *files);
  const TrainingOutcome outcome =
      run_training(parsed, world, *files, parts, [stop = stop_of_job(world)](int64_t) { return stop(); });
  for (const std::string& path : outcome.files) std::puts(path.c_str());
  return outcome.stopped_by != 0 ? ExitStatus::kStopped : ExitStatus::kDone;
}

}  // namespace leco
