// What the watchdog says of a rank's own work, and what it does not count. How it ends a job: tests/mpi.
#include "comm/watchdog.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <regex>
#include <thread>

#include "core/host_name.h"
#include "core/log.h"
#include "core/read_file.h"
#include "tests/support/temporary_folder.h"

namespace leco {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr seconds kLimit{6};  // so 0.4 s are much, and the machine may be busy for five more
constexpr seconds kLong{60};  // far from what this machine may bring about

// What is logged while it lives, mostly by the watchdog's thread.
class Told {
 public:
  Told() {
    set_collective_limit(kLimit);
    log::divert(file_);
  }
  ~Told() { log::configure({}); }
  std::string text() const { return read_local_file(file_); }
  // Until that much is told; not longer than the watchdog itself would wait.
  void await(const std::string& words) const {
    const auto end = std::chrono::steady_clock::now() + kLimit;
    while (text().find(words) == std::string::npos && std::chrono::steady_clock::now() < end)
      std::this_thread::sleep_for(milliseconds(10));
  }

 private:
  testing::TemporaryFolder folder_{"leco-watchdog"};
  std::string file_ = folder_ / "log";
};

void expect_match(const std::string& text, const std::string& pattern) {
  EXPECT_TRUE(std::regex_search(text, std::regex(pattern))) << text << "\ndoes not match\n" << pattern;
}

std::string warning_of_rank_0() {
  return "warning: rank 0 on " + host_name();
}

TEST(Watchdog, NamesWorkThatTakesFarLongerThanItEverDidAndAgainWhenItIsDone) {
  const Told told;
  Pace pace;
  pace.note(/*load=*/1, /*seconds=*/0.01);
  {
    const Watch watch = Watch::of_my_work("rollout of step 12", pace, /*load=*/2);
    told.await("would be usual\n");
  }
  const std::string who = warning_of_rank_0() + ": rollout of step 12 ";
  expect_match(told.text(), who + R"(has taken \d+\.\d s so far, and 0\.02 s would be usual\n)");
  expect_match(told.text(), who + R"(is done after \d+\.\d s\n)");
  EXPECT_GE(pace.expect(2), 0.4);
}

TEST(Watchdog, IsSilentWhereNothingIsKnownAndWhereItIsUsual) {
  const Told told;
  Pace unknown, known;
  known.note(/*load=*/1, /*seconds=*/kLong.count());
  for (Pace* pace : {&unknown, &known}) {
    const Watch watch = Watch::of_my_work("rollout of step 12", *pace, 0.5);
    std::this_thread::sleep_for(milliseconds(600));
  }
  EXPECT_EQ(told.text(), "");
  EXPECT_GE(unknown.expect(0.5), 0.6);
}

TEST(Watchdog, TheFirstRankNamesACollectiveThatTakesFarLongerThanAStepLongBeforeTheDeadline) {
  const Told told;
  set_collective_limit(kLimit, /*usual=*/0.02);
  {
    const Watch around("merge of step 12", kNoLimit);
    const Watch watch = Watch::of_collective("all_reduce", /*rank=*/0);
    told.await("when it is not done");
  }
  expect_match(told.text(),
               warning_of_rank_0() +
                   R"( has waited for \d+\.\d s in all_reduce, in merge of step 12, and a )"
                   R"(whole step takes 0\.02 s; .*; the job ends when it is not done after 6 s\n)");
  expect_match(told.text(), warning_of_rank_0() + R"(: all_reduce is done after \d+\.\d s\n)");
}

TEST(Watchdog, IsSilentOfAWaitOnOtherRanksAndWhereAStepTakesThatLong) {
  const Told told;
  for (const auto& [usual, rank] : {std::pair(0.02, 1), {0.0, 0}, {static_cast<double>(kLong.count()), 0}}) {
    set_collective_limit(kLimit, usual);
    const Watch watch = Watch::of_collective("all_reduce", rank);
    std::this_thread::sleep_for(milliseconds(600));
  }
  EXPECT_EQ(told.text(), "");
}

TEST(Watchdog, DoesNotCountTimeInWhichTheProcessIsSuspended) {
  constexpr milliseconds kPause(3500);  // past the limit, and by a lot more than a busy machine delays
  constexpr seconds kAwake(2);
  const auto start = std::chrono::steady_clock::now();
  const auto awake_start = AwakeClock::now();
  {
    const Watch watch("a collective", kAwake);  // past its limit it would end this process
    const pid_t self = getpid();
    const pid_t other = fork();
    if (other == 0) {
      kill(self, SIGSTOP);
      usleep(std::chrono::microseconds(kPause).count());
      kill(self, SIGCONT);
      _exit(0);
    }
    int status = 0;
    ASSERT_EQ(waitpid(other, &status, 0), other);
    std::this_thread::sleep_for(milliseconds(300));  // for the watchdog to look
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, kPause);
  EXPECT_LT(AwakeClock::now() - awake_start, kAwake);
}

}  // namespace
}  // namespace leco
