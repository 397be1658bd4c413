#include "core/version.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <torch/version.h>

#include "comm/nccl_communicator.h"
#include "launcher/subcommand.h"

namespace leco {

std::string version_text() {
  const bool cuda = built_with_nccl();
  return fmt::format("leco {}\nlibtorch {}\nCUDA {}\nNCCL {}\nMPI yes\n", kVersion, TORCH_VERSION,
                     cuda ? "yes" : "no (built with -DLECO_CUDA=OFF)", cuda ? "yes" : "no");
}

std::string program_help() {
  return "leco: trains LoRA files that erase, strengthen or slide a concept of Stable Diffusion, from "
         "prompts alone.\n"
         "\n"
         "  leco train --pretrained_model_name_or_path=MODEL --prompts_file=PROMPTS.toml --output_dir=DIR "
         "[flags]\n"
         "  mpirun -n 8 leco train …      the same on eight ranks, one GPU each\n"
         "  leco plan --prompts_file=PROMPTS.toml [--ranks=8] [--json] [flags of train]\n"
         "  leco sample --pretrained_model_name_or_path=MODEL --network_weights=LORA --prompt=TEXT "
         "--output=FILE.png\n"
         "  leco inspect FILE.safetensors [--json]\n"
         "\n"
         "  train     trains a LoRA\n"
         "  plan      shows what train would do: pairs, settings, modules, cost, memory, shares by rank\n"
         "  sample    draws prompts at several strengths of a LoRA, as one labelled picture\n"
         "  inspect   shows what a LoRA file holds\n"
         "\n"
         "Each has --help. leco --version says what this build holds.\n";
}

}  // namespace leco
