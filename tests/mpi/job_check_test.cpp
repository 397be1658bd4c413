// One line for all ranks: the worst verdict, whose it is, how many share it; and merges with known answers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>

#include "comm/text_message.h"
#include "core/host_name.h"
#include "health/job_check.h"
#include "health/merge_check.h"
#include "tests/support/mpi_main.h"

namespace leco {
namespace {

using leco::testing::test_world;

Check check_with(Verdict verdict) {
  return {"GPU", verdict, "seen by rank " + std::to_string(test_world().rank()), "do something"};
}

TEST(BroadcastText, every_rank_gets_the_roots_text_of_any_length) {
  Communicator& comm = test_world().host();
  for (int root = 0; root < comm.size(); ++root)
    for (const std::string& text : {std::string(), std::string("ü\0x", 4), std::string(70'000, 'y')})
      EXPECT_TRUE(broadcast_text(comm, comm.rank() == root ? text : "another", root) == text);
}

TEST(WorstOfAll, the_worst_verdict_wins_and_of_equals_the_lowest_rank) {
  Communicator& comm = test_world().host();
  const int last = comm.size() - 1;
  JobCheck found = worst_of_all(comm, check_with(Verdict::kOk));
  EXPECT_EQ(found.check.found, "seen by rank 0");
  EXPECT_EQ(found.ranks, comm.size());

  found = worst_of_all(comm, check_with(comm.rank() == 0 ? Verdict::kOk : Verdict::kWarning));
  EXPECT_EQ(found.check.verdict, last == 0 ? Verdict::kOk : Verdict::kWarning);
  EXPECT_EQ(found.rank, std::min(1, last));
  EXPECT_EQ(found.check.found, "seen by rank " + std::to_string(found.rank));
  EXPECT_EQ(found.ranks, std::max(1, last));

  found = worst_of_all(comm, check_with(comm.rank() == last ? Verdict::kFailed : Verdict::kWarning));
  EXPECT_EQ(found.check.verdict, Verdict::kFailed);
  EXPECT_EQ(found.check.advice, "do something");
  EXPECT_EQ(found.rank, last);
  EXPECT_EQ(found.ranks, 1);
  EXPECT_EQ(found.host, host_name());  // all ranks run on this machine
}

// Passes everything on, but for one element of one sum.
class FaultyCommunicator final : public Communicator {
 public:
  explicit FaultyCommunicator(Communicator& comm) : comm_(comm) {}
  int rank() const override { return comm_.rank(); }
  int size() const override { return comm_.size(); }
  void all_reduce(torch::Tensor& tensor, Reduce op) override {
    comm_.all_reduce(tensor, op);
    if (op == Reduce::kSum) tensor[1234567].add_(1);
  }
  void broadcast(torch::Tensor& tensor, int root) override { comm_.broadcast(tensor, root); }
  std::vector<double> all_gather(double value) override { return comm_.all_gather(value); }
  void barrier() override { comm_.barrier(); }
  std::unique_ptr<Communicator> split(int color) override { return comm_.split(color); }
  [[noreturn]] void abort(std::string_view, int status) noexcept override { std::_Exit(status); }

 private:
  Communicator& comm_;
};

TEST(TryMerge, finds_exact_sums_and_an_element_that_is_one_too_large) {
  Communicator& comm = test_world().host();
  const MergeTrial trial = try_merge(comm, torch::kCPU);
  EXPECT_EQ(trial.mistake, "");
  EXPECT_EQ(trial.ranks, comm.size());
  EXPECT_GT(trial.seconds, 0);
  FaultyCommunicator faulty(comm);
  EXPECT_EQ(try_merge(faulty, torch::kCPU).mistake.substr(0, 61),
            "1 of 2097152 elements of the sum are wrong; number 1234567 is");
}

}  // namespace
}  // namespace leco
