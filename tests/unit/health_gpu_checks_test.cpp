// GPUs judged from made lists: what no machine without GPUs can show.
#include <gtest/gtest.h>

#include "health/gpu_checks.h"

namespace leco {
namespace {

constexpr int64_t kGib = int64_t{1} << 30;

GpuView view_of(int gpus, int local_rank, int local_size, GpuLink link = GpuLink::kNvlink) {
  GpuView view{.local_rank = local_rank, .local_size = local_size};
  view.gpus.assign(gpus, {.name = "H100", .memory_bytes = 80 * kGib, .free_bytes = 79 * kGib});
  view.links.assign(gpus, std::vector<GpuLink>(gpus, link));
  return view;
}

void expect(const Check& check, Verdict verdict, const std::vector<std::string>& parts) {
  EXPECT_EQ(verdict_word(check.verdict), verdict_word(verdict)) << check.found;
  EXPECT_EQ(check.advice.empty(), verdict == Verdict::kOk) << check.advice;
  for (const std::string& part : parts)
    EXPECT_NE((check.found + "; " + check.advice).find(part), std::string::npos)
        << "'" << part << "' is not in '" << check.found << "; " << check.advice << "'";
}

TEST(GpuCheck, a_free_gpu_for_each_rank_is_fine) {
  expect(gpu_check(view_of(8, 3, 8)), Verdict::kOk, {"H100, 79.0 GiB of 80.0 GiB free"});
  expect(link_check(view_of(8, 3, 8)), Verdict::kOk, {"28 over NVLink"});
}

TEST(GpuCheck, a_rank_takes_the_gpu_of_its_local_number) {
  GpuView view = view_of(4, 6, 8);
  view.gpus[2].trouble = "no kernel image";
  EXPECT_EQ(view.own(), 2);
  expect(gpu_check(view), Verdict::kFailed, {"GPU 2 (H100) does not compute: no kernel image"});
  view.local_rank = 5;
  view.shares_own = true;
  expect(gpu_check(view), Verdict::kWarning,
         {"GPU 1", "the node's 8 ranks", "one rank a GPU (4 visible here)"});
}

TEST(GpuCheck, memory_that_another_process_holds_is_told) {
  GpuView view = view_of(2, 1, 2);
  view.gpus[1].free_bytes = 72 * kGib;
  expect(gpu_check(view), Verdict::kOk, {});
  view.gpus[1].free_bytes = 71 * kGib;
  expect(gpu_check(view), Verdict::kWarning, {"71.0 GiB of 80.0 GiB free", "another process", "nvidia-smi"});
  view.gpus[0].free_bytes = 0;  // another rank's
  view.gpus[1].free_bytes = 79 * kGib;
  expect(gpu_check(view), Verdict::kOk, {});
}

TEST(GpuCheck, idle_gpus_are_mentioned) {
  expect(gpu_check(view_of(8, 0, 6)), Verdict::kOk, {"2 more stay idle"});
}

TEST(GpuCheck, no_gpu_is_a_failure_only_where_one_was_asked_for) {
  GpuView view = view_of(0, 0, 1);
  expect(gpu_check(view), Verdict::kWarning, {"none is visible", "--device=cpu"});
  view.wish = DeviceWish::kCuda;
  expect(gpu_check(view), Verdict::kFailed, {"none is visible", "--gpus-per-node"});
  view.built_with_cuda = false;
  expect(gpu_check(view), Verdict::kFailed, {"built without CUDA"});
  view.wish = DeviceWish::kCpu;
  expect(gpu_check(view), Verdict::kOk, {"not used"});
  expect(link_check(view), Verdict::kOk, {"no GPU is used"});
}

TEST(LinkCheck, ranks_that_see_only_their_own_gpu_lose_the_direct_path) {
  expect(link_check(view_of(1, 2, 4)), Verdict::kWarning,
         {"its own GPU only", "--gpus-per-node, not --gpus-per-task"});
  expect(link_check(view_of(1, 0, 1)), Verdict::kOk, {"one GPU"});
  GpuView shared = view_of(1, 0, 2);
  shared.shares_own = true;  // there is one, and gpu_check says what that means
  expect(link_check(shared), Verdict::kOk, {"one GPU"});
}

TEST(LinkCheck, pairs_that_meet_in_host_memory_are_counted_and_one_is_named) {
  GpuView view = view_of(4, 0, 4, GpuLink::kPeer);
  expect(link_check(view), Verdict::kOk, {"6 directly without NVLink"});
  view.links[1][2] = view.links[2][1] = GpuLink::kNvlink;
  view.links[3][1] = GpuLink::kHost;  // one direction is enough
  expect(link_check(view), Verdict::kWarning,
         {"1 over NVLink, 4 directly without NVLink, 1 through the host's memory", "(such as 1 and 3)"});
}

TEST(LinkCheck, only_gpus_that_ranks_use_count_and_all_for_a_single_rank) {
  GpuView view = view_of(4, 0, 2);
  view.links[0][3] = view.links[3][0] = GpuLink::kHost;
  expect(link_check(view), Verdict::kOk, {"1 over NVLink"});
  view.local_size = 1;
  expect(link_check(view), Verdict::kWarning, {"5 over NVLink", "such as 0 and 3"});
}

}  // namespace
}  // namespace leco
