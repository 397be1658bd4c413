#include "launcher/training/precision.h"

namespace leco {

Placement placement_of(const TrainSettings& settings, torch::Device device) {
  const auto dtype = settings.mixed_precision == MixedPrecision::kFloat16    ? torch::kFloat16
                     : settings.mixed_precision == MixedPrecision::kBFloat16 ? torch::kBFloat16
                                                                             : torch::kFloat32;
  return {.device = device,
          .dtype = dtype,
          .adapters_in_dtype = settings.full_fp16 || settings.full_bf16,
          .recompute_blocks = settings.gradient_checkpointing};
}

std::vector<std::string> precision_notices(const TrainSettings& settings, torch::Device device) {
  if (!device.is_cpu()) return {};
  std::vector<std::string> notices;
  if (settings.mixed_precision == MixedPrecision::kFloat16)
    notices.push_back(
        "--mixed_precision=fp16 is slow on a CPU, which has no float16 arithmetic: bf16 and no are faster "
        "there");
  if (!settings.deterministic)
    notices.push_back(
        "--deterministic=false has no effect here: the CPU's kernels are deterministic in any case");
  return notices;
}

}  // namespace leco
