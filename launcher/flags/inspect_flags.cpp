#include "launcher/flags/inspect_flags.h"

#include <fmt/format.h>

#include "core/error.h"
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"

namespace leco {
namespace {

std::vector<Flag> inspect_flags(InspectFlags& flags) {
  std::vector<Flag> table;
  FlagGroup group(table, "Flags");
  group.works_aside("json", switch_form(flags.json),
                    "prints everything as one JSON object, long values whole");
  group.works_aside("v2", switch_form(flags.v2), "checks that a model is of Stable Diffusion 2.x");
  group.works_aside("v_parameterization", switch_form(flags.v_parameterization),
                    "checks that a model predicts v, as in leco train");
  group.works_aside("config", text_form(flags.config, "DIR"),
                    "of a LoRA that leco train made: writes run.toml and prompts.toml there, which make the "
                    "same file again (docs/reproduce.md)");
  group.works_aside("pretrained_model_name_or_path", text_form(flags.model, "PATH"),
                    "with --config: the model to write into run.toml; its checksums must fit");
  group.works_aside("network_weights", text_form(flags.network_weights, "FILE"),
                    "with --config: the LoRA that the training started from; its checksum must fit");
  group.works_aside("tokenizer_cache_dir", text_form(flags.tokenizers, "DIR"),
                    "with --config: the tokenizers that the training took, where it did");
  group.works_aside("help", switch_form(flags.help), "prints this list (also -h)");
  for (Flag& flag : table) flag.is_setting = false;
  return table;
}

}  // namespace

InspectFlags parse_inspect_flags(std::span<const std::string> arguments) {
  InspectFlags flags;
  const std::vector<Flag> table = inspect_flags(flags);
  std::vector<std::string> paths;
  apply_flags(table, parse_arguments(table, arguments, &paths));
  if (flags.help) return flags;
  if (paths.size() != 1)
    throw_usage(
        fmt::format("leco inspect takes one file or model, {} were given: leco inspect PATH", paths.size()));
  if (!flags.config.empty() && flags.json)
    throw_usage("--json and --config: one prints, the other writes files; give one of them");
  if (flags.config.empty() &&
      !(flags.model.empty() && flags.network_weights.empty() && flags.tokenizers.empty()))
    throw_usage(
        "--pretrained_model_name_or_path, --network_weights and --tokenizer_cache_dir go with --config=DIR");
  flags.path = paths.front();
  return flags;
}

std::string inspect_help() {
  return "leco inspect: shows what a file holds, whoever wrote it.\n"
         "Usage: leco inspect LORA|MODEL [--json]\n"
         "       leco inspect LORA --config DIR\n"
         "Of a LoRA (.safetensors): modules, ranks, norms and metadata. Norms are\n"
         "Frobenius norms; the change of a module is up·down·alpha/rank, what it adds to\n"
         "its layer at strength 1.\n"
         "Of a model (a Diffusers folder, a .safetensors or .ckpt file, a hub id in the\n"
         "local cache): family, prediction, sizes, types, and what is missing or not\n"
         "used. Weights are not read.\n" +
         flags_as_help(listed_inspect_flags());
}

std::vector<Flag> listed_inspect_flags() {
  static InspectFlags defaults;
  return inspect_flags(defaults);
}

}  // namespace leco
