#include "health/merge_check.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <limits>

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kNumbers = int64_t{1} << 21;
constexpr double kSlow =
    1e9;  // bytes a second over NCCL: Ethernet of 10 Gbit/s, a tenth of any cluster's network

// Rank r holds a·(r + 1) + r, a below 2²⁰ and different from place to place; so n ranks have a·n(n + 1)/2 +
// n(n − 1)/2 in sum.
Tensor places() {
  return at::arange(kNumbers, at::TensorOptions(torch::kInt64)).mul_(40503).bitwise_and_((1 << 20) - 1);
}

Tensor addend(int64_t rank) {
  return places().mul_(rank + 1).add_(rank);
}

Tensor known_sum(int64_t ranks) {
  return places().mul_(ranks * (ranks + 1) / 2).add_(ranks * (ranks - 1) / 2);
}

// "element 7 of the sum is 12, not 13"; empty where both are equal.
std::string first_mistake(const char* what, const Tensor& got, const Tensor& known) {
  const Tensor wrong = (got.to(torch::kCPU) != known).nonzero();
  if (wrong.numel() == 0) return {};
  const int64_t place = wrong[0][0].item<int64_t>();
  return fmt::format("{} of {} elements of the {} are wrong; number {} is {}, not {}", wrong.numel(),
                     known.numel(), what, place, got[place].item<double>(), known[place].item<double>());
}

double timed_sum(Communicator& comm, Tensor& values, const Tensor& start) {
  values.copy_(start);
  comm.barrier();
  const auto begin = std::chrono::steady_clock::now();
  comm.all_reduce(values, Reduce::kSum);
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

MergeTrial try_merge(Communicator& comm, torch::Device device) {
  constexpr int kRounds = 3;  // the first also makes the connections
  MergeTrial trial{.ranks = comm.size(), .bytes = kNumbers * static_cast<int64_t>(sizeof(int64_t))};
  trial.seconds = std::numeric_limits<double>::infinity();
  const Tensor start = addend(comm.rank()).to(device), known = known_sum(comm.size());
  Tensor values = at::empty_like(start);
  for (int round = 0; round < kRounds; ++round) {
    trial.seconds = std::min(trial.seconds, timed_sum(comm, values, start));
    if (trial.mistake.empty()) trial.mistake = first_mistake("sum", values, known);
  }
  const auto number = [](double value) { return at::full({1}, value, torch::kFloat32); };
  Tensor greatest = number(comm.rank() + 0.5).to(device), sent = number(comm.rank()).to(device);
  comm.all_reduce(greatest, Reduce::kMax);
  comm.broadcast(sent, comm.size() - 1);
  if (trial.mistake.empty()) trial.mistake = first_mistake("maximum", greatest, number(comm.size() - 0.5));
  if (trial.mistake.empty()) trial.mistake = first_mistake("broadcast", sent, number(comm.size() - 1));
  return trial;
}

Check merge_check(const MergeTrial& trial) {
  const std::string name = "merge";
  if (!trial.mistake.empty())
    return {name, Verdict::kFailed,
            fmt::format("{} over {} ranks: {}", trial.backend, trial.ranks, trial.mistake),
            "a network card, link or memory is faulty; start on fewer nodes to find out which"};
  if (trial.ranks == 1)
    return {name, Verdict::kOk,
            trial.over_nccl ? "one rank: nothing to merge; sums of " + trial.backend + " are exact"
                            : "one rank: nothing to merge"};
  // What crosses the slowest link, as nccl-tests count it.
  const double rate = static_cast<double>(trial.bytes) / trial.seconds * 2 * (trial.ranks - 1) / trial.ranks;
  const std::string found = fmt::format("{} over {} ranks: sums are exact; 16 MB in {:.1f} ms, {:.1f} GB/s",
                                        trial.backend, trial.ranks, trial.seconds * 1e3, rate / 1e9);
  if (trial.over_nccl && rate < kSlow)
    return {name, Verdict::kWarning, found + ", slow for GPUs",
            "NCCL_DEBUG=INFO shows the network that NCCL took, NCCL_SOCKET_IFNAME sets it"};
  return {name, Verdict::kOk, found};
}

}  // namespace leco
