#include "health/job_check.h"

#include <cstdint>

#include "comm/text_message.h"
#include "core/host_name.h"

namespace leco {
namespace {

constexpr int64_t kRanks = int64_t{1} << 32;  // more than there are

int64_t reduce(Communicator& comm, int64_t value, Reduce op) {
  torch::Tensor all = at::full({1}, value, torch::kInt64);
  comm.all_reduce(all, op);
  return all.item<int64_t>();
}

}  // namespace

JobCheck worst_of_all(Communicator& comm, const Check& mine) {
  // One maximum finds the worst verdict and, among its ranks, the lowest.
  const int64_t worst =
      reduce(comm, static_cast<int64_t>(mine.verdict) * kRanks + (kRanks - 1 - comm.rank()), Reduce::kMax);
  const auto verdict = static_cast<Verdict>(worst / kRanks);
  const int rank = static_cast<int>(kRanks - 1 - worst % kRanks);
  return {.check = {.name = mine.name,
                    .verdict = verdict,
                    .found = broadcast_text(comm, mine.found, rank),
                    .advice = broadcast_text(comm, mine.advice, rank)},
          .rank = rank,
          .host = broadcast_text(comm, host_name(), rank),
          .ranks = static_cast<int>(reduce(comm, mine.verdict == verdict ? 1 : 0, Reduce::kSum))};
}

}  // namespace leco
