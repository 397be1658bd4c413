// What the checks of leco doctor make of what was seen.
#include <gtest/gtest.h>

#include "core/error.h"
#include "health/fact_check.h"
#include "health/launch_checks.h"
#include "health/merge_check.h"

namespace leco {
namespace {

std::string text_of(const Check& check) {
  return check.advice.empty() ? check.found : check.found + "; " + check.advice;
}

bool holds(const Check& check, const std::string& part) {
  return text_of(check).find(part) != std::string::npos;
}

TEST(Guarded, what_is_thrown_becomes_a_failed_check) {
  const Check check = guarded("model", []() -> Check { throw Error("no such file"); });
  EXPECT_EQ(check.verdict, Verdict::kFailed);
  EXPECT_EQ(check.name, "model");
  EXPECT_EQ(check.found, "no such file");
  EXPECT_EQ(guarded("model", [] { return Check{.name = "model", .found = "whole"}; }).verdict, Verdict::kOk);
}

TEST(MpiCheck, less_than_multiple_threads_is_a_warning) {
  LaunchFacts facts{.mpi = "Open MPI v4.1.4", .thread_level = "multiple", .ranks = 16, .nodes = 2};
  EXPECT_EQ(text_of(mpi_check(facts)), "Open MPI v4.1.4, thread level multiple; 16 ranks on 2 nodes");
  EXPECT_EQ(mpi_check(facts).verdict, Verdict::kOk);
  facts.thread_level = "serialized";
  EXPECT_EQ(mpi_check(facts).verdict, Verdict::kWarning);
  EXPECT_TRUE(holds(mpi_check(facts), "MPI_THREAD_MULTIPLE"));
  EXPECT_EQ(mpi_check({}).verdict, Verdict::kOk);
  EXPECT_TRUE(holds(mpi_check({}), "one process"));
}

TEST(CoresCheck, more_ranks_than_cores_and_ranks_bound_to_too_few_are_warnings) {
  LaunchFacts facts{.local_size = 8, .cores = 64, .usable_cores = 8};
  EXPECT_EQ(cores_check(facts).verdict, Verdict::kOk);
  facts.usable_cores = 1;
  EXPECT_EQ(cores_check(facts).verdict, Verdict::kWarning);
  EXPECT_TRUE(holds(cores_check(facts), "1 of the node's 64; its share is 8"));
  EXPECT_TRUE(holds(cores_check(facts), "slot:PE=8"));
  facts.on_gpu = true;  // where a core is enough
  EXPECT_EQ(cores_check(facts).verdict, Verdict::kOk);
  facts.local_size = 65;
  EXPECT_EQ(cores_check(facts).verdict, Verdict::kWarning);
  EXPECT_TRUE(holds(cores_check(facts), "65 ranks share the node's 64 cores"));
}

TEST(MergeCheck, a_wrong_sum_fails_and_a_slow_network_of_gpus_warns) {
  MergeTrial trial{
      .backend = "NCCL 2.28.9", .ranks = 16, .bytes = 16 << 20, .seconds = 1e-3, .over_nccl = true};
  EXPECT_EQ(merge_check(trial).verdict, Verdict::kOk);
  EXPECT_TRUE(holds(merge_check(trial), "31.5 GB/s"));  // 16.8 GB/s · 2 · 15/16
  trial.seconds = 40e-3;
  EXPECT_EQ(merge_check(trial).verdict, Verdict::kWarning);
  EXPECT_TRUE(holds(merge_check(trial), "NCCL_SOCKET_IFNAME"));
  trial.over_nccl = false;  // through host memory nothing else is to be expected
  EXPECT_EQ(merge_check(trial).verdict, Verdict::kOk);
  trial.mistake = "1 of 9 elements of the sum are wrong";
  EXPECT_EQ(merge_check(trial).verdict, Verdict::kFailed);
  EXPECT_TRUE(holds(merge_check(trial), "elements of the sum are wrong"));
}

TEST(CompareFacts, what_decides_the_result_must_be_equal_and_comes_first) {
  const std::vector<Fact> first = {{"driver", "580.1", false}, {"libtorch", "2.11.0"}, {"GPU", "H100"}};
  std::vector<Fact> mine = first;
  EXPECT_EQ(compare_facts(mine, first).verdict, Verdict::kOk);
  EXPECT_EQ(compare_facts(mine, first).found, "driver 580.1, libtorch 2.11.0, GPU H100");
  mine[0].value = "570.2";
  EXPECT_EQ(compare_facts(mine, first).verdict, Verdict::kWarning);
  EXPECT_TRUE(holds(compare_facts(mine, first), "driver is '570.2' here and '580.1' on rank 0"));
  mine[2].value = "A100";
  EXPECT_EQ(compare_facts(mine, first).verdict, Verdict::kFailed);
  EXPECT_TRUE(holds(compare_facts(mine, first), "GPU is 'A100' here and 'H100' on rank 0"));
}

TEST(CompareFacts, facts_survive_being_sent) {
  const std::vector<Fact> facts = {{"MPI", ""}, {"driver", "580.1 (open)", false}};
  const std::vector<Fact> got = facts_from_text(facts_as_text(facts));
  ASSERT_EQ(got.size(), 2u);
  EXPECT_EQ(compare_facts(got, facts).verdict, Verdict::kOk);
  EXPECT_TRUE(got[0].decides_result);
  EXPECT_FALSE(got[1].decides_result);
}

TEST(BuildId, is_the_linkers_and_stays_the_same) {
  EXPECT_EQ(build_id().size(), 40u);  // SHA-1
  EXPECT_EQ(build_id(), build_id());
  EXPECT_EQ(build_id().find_first_not_of("0123456789abcdef"), std::string::npos);
}

}  // namespace
}  // namespace leco
