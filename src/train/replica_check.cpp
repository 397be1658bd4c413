#include "train/replica_check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "core/error.h"

namespace leco {
namespace {

using torch::Tensor;

constexpr int64_t kPiece = int64_t{1} << 20;  // weights whose bits are widened at a time

// The ranks whose value is not that of more than half; all of them where no value is.
std::vector<size_t> outside_majority(const std::vector<double>& values) {
  std::map<double, size_t> votes;
  for (const double value : values) ++votes[value];
  const auto most = std::ranges::max_element(votes, {}, [](const auto& vote) { return vote.second; });
  const bool is_majority = 2 * most->second > values.size();
  std::vector<size_t> ranks;
  for (size_t rank = 0; rank < values.size(); ++rank)
    if (!is_majority || values[rank] != most->first) ranks.push_back(rank);
  return ranks;
}

}  // namespace

// Σ (2·i + 1)·bits_i in integers that wrap, so that the order of the sum does not matter and no single weight
// can change unseen.
double replica_checksum(const Tensor& weights) {
  const Tensor bits = weights.detach().view(torch::kInt32);
  Tensor sum = at::zeros({}, bits.options().dtype(torch::kInt64));
  for (int64_t begin = 0; begin < bits.numel(); begin += kPiece) {
    const Tensor piece = bits.narrow(0, begin, std::min(kPiece, bits.numel() - begin)).to(torch::kInt64);
    const Tensor places = at::arange(begin, begin + piece.numel(), piece.options());
    sum += (piece * (2 * places + 1)).sum();
  }
  constexpr uint64_t kBelow = (uint64_t{1} << 53) - 1;
  return static_cast<double>(static_cast<uint64_t>(sum.item<int64_t>()) & kBelow);
}

void check_replicas(Communicator& comm, const Tensor& weights, int64_t finished_steps) {
  const std::vector<double> checksums = comm.all_gather(replica_checksum(weights));
  if (std::ranges::count(checksums, checksums.front()) == std::ssize(checksums)) return;
  const std::vector<size_t> ranks = outside_majority(checksums);
  throw CollectiveError(
      fmt::format("stopped after step {}: the LoRA of rank{} {} is not that of the other ranks, though all "
                  "were given the same "
                  "updates: a fault of the machine or its memory; the files saved before this step stay",
                  finished_steps, ranks.size() == 1 ? "" : "s", fmt::join(ranks, ", ")));
}

}  // namespace leco
