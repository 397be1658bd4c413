// `leco inspect FILE`: what a LoRA file or a model holds.
#include <fmt/format.h>

#include <cstdio>

#include "core/log.h"
#include "io/digest.h"
#include "io/mapped_file.h"
#include "io/torch_checkpoint.h"
#include "io/weight_kind.h"
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"
#include "launcher/open_model.h"
#include "launcher/reproduce.h"
#include "launcher/subcommand.h"
#include "report/lora_report.h"
#include "report/model_report.h"

namespace leco {
namespace {

struct InspectSettings {
  bool json = false, help = false;
  ModelClaims claims;
  RunSources run;
};

std::vector<Flag> flags_into(InspectSettings& settings) {
  std::vector<Flag> table;
  FlagGroup group(table, "Flags");
  group.works_aside("json", switch_form(settings.json),
                    "prints everything as one JSON object, long values whole");
  group.works_aside("v2", switch_form(settings.claims.v2), "checks that a model is of Stable Diffusion 2.x");
  group.works_aside("v_parameterization", switch_form(settings.claims.v_parameterization),
                    "checks that a model predicts v, as in leco train");
  group.works_aside("config", text_form(settings.run.folder, "DIR"),
                    "of a LoRA that leco train made: writes run.toml and prompts.toml there, which make the "
                    "same file again (docs/reproduce.md)");
  group.works_aside("pretrained_model_name_or_path", text_form(settings.run.model, "PATH"),
                    "with --config: the model to write into run.toml; its checksums must fit");
  group.works_aside("network_weights", text_form(settings.run.network_weights, "FILE"),
                    "with --config: the LoRA that the training started from; its checksum must fit");
  group.works_aside("tokenizer_cache_dir", text_form(settings.run.tokenizers, "DIR"),
                    "with --config: the tokenizers that the training took, where it did");
  group.works_aside("help", switch_form(settings.help), "prints this list (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

std::string help_of(std::span<const Flag> table) {
  return "leco inspect: shows what a file holds, whoever wrote it.\n"
         "Usage: leco inspect LORA|MODEL [--json]\n"
         "       leco inspect LORA --config DIR\n"
         "Of a LoRA (.safetensors): modules, ranks, norms and metadata. Norms are\n"
         "Frobenius norms; the change of a module is up·down·alpha/rank, what it adds to\n"
         "its layer at strength 1.\n"
         "Of a model (a Diffusers folder, a .safetensors or .ckpt file, a hub id in the\n"
         "local cache): family, prediction, sizes, types, and what is missing or not\n"
         "used. Weights are not read.\n" +
         flags_as_help(table);
}

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

std::string report_of_lora(const LoraReport& lora, const InspectSettings& settings, FileSource& files) {
  if (!settings.run.folder.empty()) return write_run(lora, settings.run, files);
  return settings.json ? lora_json(lora) : lora_text(lora);
}

void check(const InspectSettings& settings) {
  const RunSources& run = settings.run;
  if (!run.folder.empty() && settings.json)
    throw_usage("--json and --config: one prints, the other writes files; give one of them");
  if (run.folder.empty() && !(run.model.empty() && run.network_weights.empty() && run.tokenizers.empty()))
    throw_usage(
        "--pretrained_model_name_or_path, --network_weights and --tokenizer_cache_dir go with --config=DIR");
}

bool is_model(const std::string& path, FileSource& files) {
  return files.is_folder(path) || recognise_weights(files.open_outline(path).left()) == kWholeModel;
}

}  // namespace

std::vector<Flag> inspect_flags() {
  static InspectSettings settings;
  return flags_into(settings);
}

std::string inspect_help() {
  return help_of(inspect_flags());
}

ExitStatus inspect_command(World& world, std::span<const std::string> arguments) {
  if (world.rank() != 0) return ExitStatus::kDone;  // nothing here needs the others
  InspectSettings settings;
  const std::vector<Flag> table = flags_into(settings);
  std::vector<std::string> paths;
  apply_flags(table, parse_arguments(table, arguments, &paths));
  if (settings.help) {
    std::fputs(help_of(table).c_str(), stdout);
    return ExitStatus::kDone;
  }
  if (paths.size() != 1)
    throw_usage(
        fmt::format("leco inspect takes one file or model, {} were given: leco inspect PATH", paths.size()));
  check(settings);
  LocalFileSource files;
  const std::string path = find_model(paths[0], files);
  std::string text;
  if (is_model(path, files)) {
    if (!settings.run.folder.empty())
      throw_usage(fmt::format("--config: '{}' is a model, and only a LoRA says how it was trained", path));
    const ModelSummary model = summarise_model(*open_base_model(files, path, settings.claims));
    text = settings.json ? model_json(model) : model_text(model);
  } else {
    text = report_of_lora(read_lora(path), settings, files);
  }
  std::fputs(text.c_str(), stdout);
  return ExitStatus::kDone;
}

}  // namespace leco
