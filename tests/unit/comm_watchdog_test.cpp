// What the watchdog says of a rank's own work, and what it does not count. How it ends a job: tests/mpi.
#include "comm/watchdog.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <thread>

#include "core/host_name.h"

namespace leco {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// What is said while a piece of this load takes 0.6 s; 0.3 s are much.
std::string told_of_work(Pace& pace, double load) {
  set_collective_limit(seconds(4));
  testing::internal::CaptureStderr();
  {
    const Watch watch = Watch::of_my_work("rollout of step 12", pace, load);
    std::this_thread::sleep_for(milliseconds(600));
  }
  return testing::internal::GetCapturedStderr();
}

TEST(Watchdog, NamesWorkThatTakesFarLongerThanItEverDidAndAgainWhenItIsDone) {
  Pace pace;
  pace.note(/*load=*/1, /*seconds=*/0.01);
  const std::string text = told_of_work(pace, /*load=*/2);
  const std::string who = "warning: rank 0 on " + host_name() + ": rollout of step 12 ";
  EXPECT_NE(text.find(who + "has taken 0."), std::string::npos) << text;
  EXPECT_NE(text.find("0.02 s would be usual\n"), std::string::npos) << text;
  EXPECT_NE(text.find(who + "is done after 0."), std::string::npos) << text;
  EXPECT_GE(pace.expect(2), 0.6);
}

TEST(Watchdog, IsSilentWhereNothingIsKnownAndWhereItIsUsual) {
  Pace pace;
  EXPECT_EQ(told_of_work(pace, 1), "");
  EXPECT_GE(pace.expect(1), 0.6);
  EXPECT_EQ(told_of_work(pace, 0.5), "");
}

std::string told_of_wait(double usual, int rank) {
  set_collective_limit(seconds(4), usual);
  testing::internal::CaptureStderr();
  {
    const Watch around("merge of step 12", kNoLimit);
    const Watch watch = Watch::of_collective("all_reduce", rank);
    std::this_thread::sleep_for(milliseconds(600));
  }
  return testing::internal::GetCapturedStderr();
}

TEST(Watchdog, TheFirstRankNamesACollectiveThatTakesFarLongerThanAStepLongBeforeTheDeadline) {
  const std::string text = told_of_wait(/*usual=*/0.02, /*rank=*/0);
  const std::string who = "warning: rank 0 on " + host_name();
  EXPECT_NE(text.find(who + " has waited for 0."), std::string::npos) << text;
  EXPECT_NE(text.find(" s in all_reduce, in merge of step 12, and a whole step takes 0.02 s; "),
            std::string::npos)
      << text;
  EXPECT_NE(text.find("; the job ends when it is not done after 4 s\n"), std::string::npos) << text;
  EXPECT_NE(text.find(who + ": all_reduce is done after 0."), std::string::npos) << text;
}

TEST(Watchdog, IsSilentOfAWaitOnOtherRanksAndWhereAStepTakesThatLong) {
  EXPECT_EQ(told_of_wait(/*usual=*/0.02, /*rank=*/1), "");
  EXPECT_EQ(told_of_wait(/*usual=*/0, /*rank=*/0), "");
  EXPECT_EQ(told_of_wait(/*usual=*/0.3, /*rank=*/0), "");
}

TEST(Watchdog, DoesNotCountTimeInWhichTheProcessIsSuspended) {
  constexpr milliseconds kPause(1600);
  const auto start = std::chrono::steady_clock::now();
  const auto awake_start = AwakeClock::now();
  {
    const Watch watch("a collective", seconds(1));  // past its limit it would end this process
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
    std::this_thread::sleep_for(milliseconds(300));
  }
  EXPECT_GE(std::chrono::steady_clock::now() - start, kPause);
  EXPECT_LT(AwakeClock::now() - awake_start, seconds(1));
}

}  // namespace
}  // namespace leco
