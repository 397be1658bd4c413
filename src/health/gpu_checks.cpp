#include "health/gpu_checks.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <tuple>
#include <utility>

namespace leco {
namespace {

constexpr double kUsualFree = 0.9;  // what the driver and a desktop take leaves this much

Check without_gpu(const GpuView& view) {
  const std::string name = "GPU";
  if (view.wish == DeviceWish::kCpu) return {name, Verdict::kOk, "not used (--device=cpu)"};
  const Verdict verdict = view.wish == DeviceWish::kCuda ? Verdict::kFailed : Verdict::kWarning;
  if (!view.built_with_cuda)
    return {name, verdict, "this program was built without CUDA, so only the CPU is left",
            "build it without LECO_CUDA=OFF, or say --device=cpu"};
  return {name, verdict, "none is visible, so only the CPU is left",
          "see what nvidia-smi and CUDA_VISIBLE_DEVICES say, ask Slurm for GPUs with --gpus-per-node, or say "
          "--device=cpu"};
}

// The visible GPUs that ranks of this node use.
int used_gpus(const GpuView& view) {
  const int visible = static_cast<int>(view.gpus.size());
  return view.local_size == 1 ? visible : std::min(visible, view.local_size);
}

struct Links {
  std::array<int, 3> pairs{};  // by GpuLink
  int first_host = -1, second_host = -1;

  int of(GpuLink link) const { return pairs[static_cast<size_t>(link)]; }
  std::string text() const {
    std::vector<std::string> parts;
    for (const auto& [link, words] : {std::pair{GpuLink::kNvlink, "over NVLink"},
                                      {GpuLink::kPeer, "directly without NVLink"},
                                      {GpuLink::kHost, "through the host's memory"}})
      if (of(link) > 0) parts.push_back(fmt::format("{} {}", of(link), words));
    return fmt::format("{}", fmt::join(parts, ", "));
  }
};

Links count_links(const GpuView& view) {
  Links links;
  for (int i = 0; i < used_gpus(view); ++i) {
    for (int j = i + 1; j < used_gpus(view); ++j) {
      const GpuLink link = std::max(view.links[i][j], view.links[j][i]);  // the worse direction counts
      if (link == GpuLink::kHost && links.of(link) == 0)
        std::tie(links.first_host, links.second_host) = std::pair(i, j);
      ++links.pairs[static_cast<size_t>(link)];
    }
  }
  return links;
}

}  // namespace

Check gpu_check(const GpuView& view) {
  if (!view.uses_gpu()) return without_gpu(view);
  const Gpu& gpu = view.gpus[view.own()];
  const std::string which = fmt::format("GPU {} ({})", view.own(), gpu.name);
  if (!gpu.trouble.empty())
    return {"GPU", Verdict::kFailed, fmt::format("{} does not compute: {}", which, gpu.trouble),
            "leave this GPU or node out, and show nvidia-smi to whoever runs the cluster"};
  if (view.shares_own)
    return {
        "GPU", Verdict::kWarning,
        fmt::format("{} is used by several of the node's {} ranks; that gains no speed and keeps NCCL out",
                    which, view.local_size),
        fmt::format("start one rank a GPU ({} visible here)", view.gpus.size())};
  const std::string free =
      fmt::format("{} of {} free", size_text(gpu.free_bytes), size_text(gpu.memory_bytes));
  if (static_cast<double>(gpu.free_bytes) < kUsualFree * static_cast<double>(gpu.memory_bytes))
    return {"GPU", Verdict::kWarning, fmt::format("{}: {}, so another process uses it", which, free),
            "nvidia-smi names the process; end it if it is a left one of yours"};
  const int idle = static_cast<int>(view.gpus.size()) - used_gpus(view);
  return {"GPU", Verdict::kOk,
          fmt::format("{}, {}{}", gpu.name, free, idle > 0 ? fmt::format("; {} more stay idle", idle) : "")};
}

Check link_check(const GpuView& view) {
  const std::string name = "GPU link";
  if (!view.uses_gpu()) return {name, Verdict::kOk, "no GPU is used"};
  if (view.gpus.size() == 1 && view.local_size > 1 && !view.shares_own)
    return {name, Verdict::kWarning,
            "each rank sees its own GPU only, so NCCL may not find the direct path to the others of the node",
            "ask Slurm with --gpus-per-node, not --gpus-per-task or --gpu-bind"};
  if (used_gpus(view) == 1) return {name, Verdict::kOk, "one GPU on this node"};
  const Links links = count_links(view);
  const std::string found = fmt::format("pairs of GPUs on a node: {}", links.text());
  if (links.of(GpuLink::kHost) == 0) return {name, Verdict::kOk, found};
  return {name, Verdict::kWarning,
          fmt::format("{} (such as {} and {})", found, links.first_host, links.second_host),
          "merging is slower there; nvidia-smi topo -p2p r says why, often an IOMMU or a virtual machine"};
}

}  // namespace leco
