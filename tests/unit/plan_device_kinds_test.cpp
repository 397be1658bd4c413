// Mixed GPUs, judged from made lists.
#include "plan/device_kinds.h"

#include <gtest/gtest.h>

namespace leco {
namespace {

const std::string kH100 = "NVIDIA H100 80GB HBM3", kA100 = "NVIDIA A100-SXM4-40GB";

TEST(DeviceKinds, OfOneKindAreNoConflict) {
  EXPECT_EQ(kind_conflict({"cpu"}), "");
  EXPECT_EQ(kind_conflict({kH100, kH100, kH100}), "");
  EXPECT_EQ(kinds_text({kH100, kH100}), kH100);
}

TEST(DeviceKinds, NameTheFirstRankThatDiffers) {
  EXPECT_EQ(kind_conflict({kH100, kH100, kA100, "cpu"}),
            "rank 0 has '" + kH100 + "' and rank 2 '" + kA100 + "'");
}

TEST(DeviceKinds, AreRecordedOnceEachInOneOrder) {
  EXPECT_EQ(kinds_text({kH100, kA100, kH100}), kA100 + " + " + kH100);
  EXPECT_EQ(kinds_text({kA100, kH100}), kinds_text({kH100, kA100}));
}

}  // namespace
}  // namespace leco
