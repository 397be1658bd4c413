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

}  // namespace leco
