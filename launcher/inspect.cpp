// `leco inspect FILE`: what a LoRA file or a model holds.
#include <fmt/format.h>

#include "core/log.h"
#include "io/digest.h"
#include "io/mapped_file.h"
#include "io/torch_checkpoint.h"
#include "io/weight_kind.h"
#include "launcher/flags/inspect_flags.h"
#include "launcher/model/open_model.h"
#include "launcher/reproduce.h"
#include "launcher/subcommand.h"
#include "report/lora_report.h"
#include "report/model_report.h"

namespace leco {
namespace {

LoraReport read_lora(const std::string& path) {
  if (weight_format(MappedFile(path, "a LoRA").bytes()) != WeightFormat::kSafetensors)
    throw_usage(
        fmt::format("'{}' is a checkpoint of torch.save without a whole model in it; of LoRAs, "
                    "leco inspect shows those in safetensors",
                    path));
  const SafetensorsFile file(path);
  return {.path = path,
          .bytes = file.size(),
          .data_hash = sha256(file.data()),
          .metadata = file.header().metadata,
          .lora = summarise_lora(file, path)};
}

// Its paths, a line each.
std::string write_run(const LoraReport& lora, const RunSources& sources, FileSource& files) {
  const RunFiles run = run_files_of(lora, sources, files);
  for (const std::string& notice : run.notices) log::warning(notice);
  std::string lines;
  for (const std::string& path : write_run_files(run, sources.folder)) lines += path + "\n";
  return lines;
}

std::string show_lora(const std::string& path, const InspectFlags& flags, FileSource& files) {
  const LoraReport lora = read_lora(path);
  if (flags.config.empty()) return flags.json ? lora_json(lora) : lora_text(lora);
  return write_run(lora,
                   {.folder = flags.config,
                    .model = flags.model,
                    .network_weights = flags.network_weights,
                    .tokenizers = flags.tokenizers},
                   files);
}

std::string show_model(const std::string& path, const InspectFlags& flags, FileSource& files) {
  if (!flags.config.empty())
    throw_usage(fmt::format("--config: '{}' is a model, and only a LoRA says how it was trained", path));
  const ModelSummary model = summarise_model(
      *open_base_model(files, path, {.v2 = flags.v2, .v_parameterization = flags.v_parameterization}));
  return flags.json ? model_json(model) : model_text(model);
}

bool is_model(const std::string& path, FileSource& files) {
  return files.is_folder(path) || recognise_weights(files.open_outline(path).left()) == kWholeModel;
}

}  // namespace

ExitStatus inspect_command(World& world, std::span<const std::string> arguments) {
  if (world.rank() != 0) return ExitStatus::kDone;  // nothing here needs the others
  const InspectFlags flags = parse_inspect_flags(arguments);
  if (flags.help) return show(world, inspect_help());
  LocalFileSource files;
  const std::string path = find_model(flags.path, files);
  return show(world, is_model(path, files) ? show_model(path, flags, files) : show_lora(path, flags, files));
}

}  // namespace leco
