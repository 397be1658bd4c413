// `leco doctor`: looks at the machine before a long run, a line a check.
#include <ATen/Version.h>
#include <fmt/format.h>
#include <torch/version.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <optional>
#include <random>

#include "comm/local_communicator.h"
#include "comm/nccl_communicator.h"
#include "comm/text_message.h"
#include "comm/watchdog.h"
#include "core/host_name.h"
#include "core/version.h"
#include "health/fact_check.h"
#include "health/folder_check.h"
#include "health/gpu_probe.h"
#include "health/job_check.h"
#include "health/launch_checks.h"
#include "health/merge_check.h"
#include "launcher/flags/doctor_flags.h"
#include "launcher/model/open_model.h"
#include "launcher/subcommand.h"
#include "launcher/training/run_record.h"
#include "pipeline/model_summary.h"

namespace leco {
namespace {

constexpr std::chrono::seconds kPatience{120};  // a collective that takes longer in a check is stuck

// Gathers what the checks say, and prints each line when it is known: a check that hangs is then seen.
class Findings {
 public:
  Findings(World& world, bool json) : world_(world), json_(json) {}

  // A check that every rank made. Collective.
  void add(const Check& mine) { keep(worst_of_all(world_.host(), mine)); }
  // One that rank 0 made; no other rank keeps findings.
  void add_of_first(Check check) {
    keep({.check = std::move(check), .host = host_name(), .ranks = world_.size()});
  }

  // The end of the output, and the status. Collective.
  ExitStatus finish(int nodes) {
    const auto count = [&](Verdict verdict) {
      return std::ranges::count_if(all_, [&](const JobCheck& one) { return one.check.verdict == verdict; });
    };
    const auto failed = count(Verdict::kFailed), warnings = count(Verdict::kWarning);
    if (world_.rank() == 0) {
      const std::string text = json_ ? as_json(nodes).dump(2)
                                     : fmt::format("{} ok, {} {}, {} failed", count(Verdict::kOk), warnings,
                                                   warnings == 1 ? "warning" : "warnings", failed);
      std::puts(text.c_str());
    }
    const bool is_bad = broadcast_text(world_.host(), failed > 0 ? "bad" : "", 0) == "bad";
    return is_bad ? ExitStatus::kFailure : ExitStatus::kDone;
  }

 private:
  void keep(JobCheck found) {
    if (world_.rank() == 0 && !json_) {
      std::puts(as_line(found).c_str());
      std::fflush(stdout);
    }
    all_.push_back(std::move(found));
  }

  std::string as_line(const JobCheck& found) const {
    const Check& check = found.check;
    std::string line = fmt::format("{:<9}{:<15}", verdict_word(check.verdict), check.name);
    if (found.ranks < world_.size() && check.verdict != Verdict::kOk)
      line += fmt::format("rank {} on {}{}: ", found.rank, found.host,
                          found.ranks > 1 ? fmt::format(" and {} more", found.ranks - 1) : "");
    line += check.found;
    return one_line(check.advice.empty() ? line : line + "; " + check.advice);
  }

  nlohmann::ordered_json as_json(int nodes) const {
    Verdict worst = Verdict::kOk;
    auto checks = nlohmann::ordered_json::array();
    for (const JobCheck& found : all_) {
      worst = std::max(worst, found.check.verdict);
      checks.push_back({{"name", found.check.name},
                        {"verdict", verdict_word(found.check.verdict)},
                        {"found", found.check.found},
                        {"advice", found.check.advice},
                        {"rank", found.rank},
                        {"host", found.host},
                        {"ranks", found.ranks}});
    }
    return {{"version", kVersion},
            {"ranks", world_.size()},
            {"nodes", nodes},
            {"verdict", verdict_word(worst)},
            {"checks", std::move(checks)}};
  }

  World& world_;
  bool json_;
  std::vector<JobCheck> all_;
};

int count_nodes(World& world) {
  torch::Tensor nodes = at::full({1}, world.local_rank() == 0 ? 1 : 0, torch::kInt64);
  world.host().all_reduce(nodes, Reduce::kSum);
  return static_cast<int>(nodes.item<int64_t>());
}

DeviceWish wish_of(DeviceChoice choice) {
  if (choice == DeviceChoice::kAuto) return DeviceWish::kAuto;
  return choice == DeviceChoice::kCpu ? DeviceWish::kCpu : DeviceWish::kCuda;
}

// What the GPU list of this rank is, without ending the checks where CUDA itself throws.
GpuView view_of(World& world, DeviceWish wish, std::string& trouble) {
  GpuView view;
  if (wish != DeviceWish::kCpu) {
    const Check seen = guarded("GPU", [&] { return view = see_gpus(world.local_rank()), Check{}; });
    trouble = seen.found;
  }
  view.wish = wish;
  view.local_rank = world.local_rank();
  view.local_size = world.local_size();
  return view;
}

// Of the library that was loaded, which need not be the one that the program was compiled with.
std::string libtorch_version() {
  const std::string config = at::show_config(), key = "TORCH_VERSION=";
  const size_t begin = config.find(key);
  if (begin == std::string::npos) return TORCH_VERSION;
  const size_t value = begin + key.size();
  return config.substr(value, config.find_first_of(",\n", value) - value);
}

std::vector<Fact> facts_of(World& world, const GpuView& view, torch::Device device) {
  const auto mpi = world.mpi();
  return {{"leco", fmt::format("{} (build {})", kVersion, build_id().substr(0, 8))},
          {"libtorch", libtorch_version()},
          {"MPI", mpi ? mpi->library : "none"},
          {"NCCL", nccl_version().empty() ? "none" : nccl_version()},
          {"GPU", device.is_cuda() ? view.gpus[view.own()].name : "none"},
          {"driver", driver_version().empty() ? "none" : driver_version(), false},
          {"CPU", at::get_cpu_capability(), /*decides_result=*/!device.is_cuda()}};
}

void check_launch(World& world, Findings& findings, int nodes, bool on_gpu) {
  LaunchFacts launch = see_cores();
  if (const auto mpi = world.mpi()) {
    launch.mpi = mpi->library;
    launch.thread_level = mpi->thread_level;
  }
  launch.ranks = world.size();
  launch.nodes = nodes;
  launch.local_size = world.local_size();
  launch.on_gpu = on_gpu;
  findings.add(mpi_check(launch));
  findings.add(cores_check(launch));
}

void check_merge(World& world, Findings& findings, torch::Device device) {
  const bool over_nccl =
      std::ranges::count(world.host().all_gather(world.owns_gpu(device)), 1.0) == world.size();
  // A single rank merges nothing, but NCCL can still be started on its GPU.
  const auto comm = over_nccl && world.size() == 1 ? make_nccl_communicator(make_local_communicator(), device)
                                                   : world.communicator_for(device);
  MergeTrial trial = try_merge(*comm, device);
  trial.over_nccl = over_nccl;
  trial.backend = over_nccl ? "NCCL " + nccl_version() : "MPI";
  findings.add(merge_check(trial));
}

// Rank 0 writes, since it is the one that writes in training; one rank of each node looks whether it sees the
// file.
void check_folder(World& world, Findings& findings, const std::string& path, int nodes) {
  const std::string name =
      broadcast_text(world.host(), fmt::format(".leco-doctor-{:08x}", std::random_device()()), 0);
  std::optional<FolderTrial> trial;
  if (world.rank() == 0) findings.add_of_first(folder_check(trial.emplace(path, name).facts()));
  world.host().barrier();
  if (nodes > 1)
    findings.add(other_node_check(path, world.local_rank() != 0 || FolderTrial::is_seen(path, name)));
  world.host().barrier();  // nobody looks any more when the file goes
}

Check model_check(const std::string& name) {
  Check check = guarded("model", [&name]() -> Check {
    LocalFileSource files;
    const ModelSummary model = summarise_model(*open_base_model(files, find_model(name, files)));
    const std::string what = fmt::format("'{}': {}, {}", name, family_name(model.family), model.form);
    if (model.can_be_trained()) return {"model", Verdict::kOk, what + ", complete"};
    return {"model", Verdict::kFailed, what + ", parts are missing or wrong"};
  });
  if (check.verdict == Verdict::kFailed) check.advice = "leco inspect shows what is there";
  return check;
}

ExitStatus examine(World& world, const DoctorFlags& flags) {
  Findings findings(world, flags.json);
  const int nodes = count_nodes(world);
  std::string trouble;
  GpuView view = view_of(world, wish_of(flags.run.device), trouble);
  const torch::Device device =
      view.uses_gpu() ? choose_device("cuda", world.local_rank()) : torch::Device(torch::kCPU);
  view.shares_own = !world.owns_gpu(device) && view.uses_gpu();
  check_launch(world, findings, nodes, device.is_cuda());
  findings.add(trouble.empty() ? gpu_check(view)
                               : Check{"GPU", Verdict::kFailed, trouble, "see what nvidia-smi says"});
  findings.add(link_check(view));
  const std::vector<Fact> facts = facts_of(world, view, device);
  findings.add(compare_facts(facts, facts_from_text(broadcast_text(world.host(), facts_as_text(facts), 0))));
  check_merge(world, findings, device);
  if (!flags.run.output_dir.empty()) check_folder(world, findings, flags.run.output_dir, nodes);
  if (const std::string& model = flags.run.pretrained_model_name_or_path; !model.empty() && world.rank() == 0)
    findings.add_of_first(model_check(model));
  return findings.finish(nodes);
}

}  // namespace

ExitStatus doctor_command(World& world, std::span<const std::string> arguments) {
  const DoctorFlags flags = parse_doctor_flags(arguments);
  if (flags.help) return show(world, doctor_help());
  set_collective_limit(kPatience);
  return examine(world, flags);
}

}  // namespace leco
