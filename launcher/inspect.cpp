// `leco inspect FILE`: what a LoRA file or a model holds.
#include <fmt/format.h>

#include <cstdio>

#include "io/digest.h"
#include "io/mapped_file.h"
#include "io/torch_checkpoint.h"
#include "io/weight_kind.h"
#include "launcher/flag_groups.h"
#include "launcher/flag_help.h"
#include "launcher/open_model.h"
#include "launcher/subcommand.h"
#include "report/lora_report.h"
#include "report/model_report.h"

namespace leco {
namespace {

struct InspectSettings {
  bool json = false, help = false;
  ModelClaims claims;
};

std::vector<Flag> flags_into(InspectSettings& settings) {
  std::vector<Flag> table;
  FlagGroup group(table, "Flags");
  group.works_aside("json", switch_form(settings.json),
                    "prints everything as one JSON object, long values whole");
  group.works_aside("v2", switch_form(settings.claims.v2), "checks that a model is of Stable Diffusion 2.x");
  group.works_aside("v_parameterization", switch_form(settings.claims.v_parameterization),
                    "checks that a model predicts v, as in leco train");
  group.works_aside("help", switch_form(settings.help), "prints this list (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

std::string help_of(std::span<const Flag> table) {
  return "leco inspect: shows what a file holds, whoever wrote it.\n"
         "Usage: leco inspect LORA|MODEL [--json]\n"
         "Of a LoRA (.safetensors): modules, ranks, norms and metadata. Norms are\n"
         "Frobenius norms; the change of a module is up·down·alpha/rank, what it adds to\n"
         "its layer at strength 1.\n"
         "Of a model (a Diffusers folder, a .safetensors or .ckpt file, a hub id in the\n"
         "local cache): family, prediction, sizes, types, and what is missing or not\n"
         "used. Weights are not read.\n" +
         flags_as_help(table);
}

std::string report_of_lora(const std::string& path, bool json) {
  if (weight_format(MappedFile(path, "a LoRA").bytes()) != WeightFormat::kSafetensors)
    throw_usage(
        fmt::format("'{}' is a checkpoint of torch.save without a whole model in it; of LoRAs, "
                    "leco inspect shows those in safetensors",
                    path));
  const SafetensorsFile file(path);
  const LoraReport report{.path = path,
                          .bytes = file.size(),
                          .data_hash = sha256(file.data()),
                          .metadata = file.header().metadata,
                          .lora = summarise_lora(file, path)};
  return json ? lora_json(report) : lora_text(report);
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
  LocalFileSource files;
  const std::string path = find_model(paths[0], files);
  std::string text;
  if (is_model(path, files)) {
    const ModelSummary model = summarise_model(*open_base_model(files, path, settings.claims));
    text = settings.json ? model_json(model) : model_text(model);
  } else {
    text = report_of_lora(path, settings.json);
  }
  std::fputs(text.c_str(), stdout);
  return ExitStatus::kDone;
}

}  // namespace leco
