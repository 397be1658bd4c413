// How long ranks wait for each other: what is known of a step decides.
#include "train/step_limit.h"

#include <gtest/gtest.h>

#include "comm/watchdog.h"

namespace leco {
namespace {

using std::chrono::seconds;

TEST(StepLimit, IsAnHourWhileNothingIsKnown) {
  EXPECT_EQ(StepLimit().limit(1000), seconds(3600));
}

TEST(StepLimit, IsTenTimesWhatTheCostLetsExpectAndTenMinutesAtLeast) {
  StepLimit limit;
  limit.note(/*load=*/100, /*seconds=*/2);
  EXPECT_EQ(limit.limit(100), kDefaultLimit);
  EXPECT_EQ(limit.limit(40'000), seconds(8000)) << "a short first step does not make a long one a hang";
}

TEST(StepLimit, FollowsTheSlowestStepSoFar) {
  StepLimit limit;
  limit.note(100, 200);
  limit.note(100, 20);
  EXPECT_EQ(limit.limit(50), seconds(1000));
  limit.note(0, 5);  // nobody had anything to do
  EXPECT_EQ(limit.limit(50), seconds(1000));
}

TEST(WorkLimit, EndsBeforeTheWaitsOfOthers) {
  set_collective_limit(seconds(600));
  EXPECT_EQ(work_limit(), seconds(450));
  set_collective_limit(seconds(1));
  EXPECT_EQ(work_limit(), seconds(1));
}

}  // namespace
}  // namespace leco
