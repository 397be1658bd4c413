#include "core/nearest_name.h"

#include <gtest/gtest.h>

#include <vector>

namespace leco {
namespace {

TEST(NearestName, IsTheOneWithTheFewestEdits) {
  const std::vector<std::string> names = {"guidance_scale", "resolution", "resolutions", "target"};
  EXPECT_EQ(nearest_name("guidance", names), "guidance_scale");
  EXPECT_EQ(nearest_name("resolutoin", names), "resolution");
  EXPECT_EQ(nearest_name("tagret", names), "target");
  EXPECT_EQ(nearest_name("x", {}), "");
  const std::vector<std::string> near = {"scales", "samples"};
  EXPECT_EQ(nearest_name("smaples", near), "samples") << "two neighbours have changed places";
}

}  // namespace
}  // namespace leco
