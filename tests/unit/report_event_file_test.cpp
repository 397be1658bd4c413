#include "report/event_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "core/error.h"
#include "core/read_file.h"

namespace leco {
namespace {

// RFC 3720, appendix B.4.
TEST(EventFiles, checksums_equal_the_published_ones) {
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8a9136aau);
  EXPECT_EQ(crc32c(std::string(32, '\xff')), 0x62a8ab43u);
  EXPECT_EQ(crc32c("123456789"), 0xe3069283u);
  EXPECT_EQ(masked_crc32c("123456789"), ((0xe3069283u >> 15) | (0xe3069283u << 17)) + 0xa282ead8u);
}

TEST(EventFiles, begin_with_their_version_and_frame_every_record) {
  const auto folder = std::filesystem::path(testing::TempDir()) / ("leco-events-" + std::to_string(getpid()));
  EventFile file((folder / "run").string());
  file.scalar("loss", 3, 0.25);
  file.flush();
  const std::string bytes = read_local_file(file.path());
  size_t records = 0, at = 0;
  for (uint64_t size = 0; at < bytes.size(); at += 16 + size, ++records) {
    std::memcpy(&size, bytes.data() + at, 8);
    uint32_t of_length, of_data;
    std::memcpy(&of_length, bytes.data() + at + 8, 4);
    std::memcpy(&of_data, bytes.data() + at + 12 + size, 4);
    EXPECT_EQ(of_length, masked_crc32c(std::string_view(bytes).substr(at, 8)));
    EXPECT_EQ(of_data, masked_crc32c(std::string_view(bytes).substr(at + 12, size)));
  }
  EXPECT_EQ(records, 2u);
  EXPECT_EQ(at, bytes.size());
  EXPECT_NE(bytes.find("brain.Event:2"), std::string::npos);
  std::filesystem::remove_all(folder);
}

// As names, the way TensorBoard sorts them: also of one second, and where the clock was set back.
TEST(EventFiles, a_later_one_comes_behind_the_earlier_ones) {
  const auto folder = std::filesystem::path(testing::TempDir()) / ("leco-order-" + std::to_string(getpid()));
  EventFile first(folder.string());
  std::string last = first.path();
  const auto late = folder / "events.out.tfevents.9000000000.zz.99999.0";
  for (int time = 0; time < 3; ++time) {
    const EventFile next(folder.string());
    EXPECT_GT(next.path(), last);
    last = next.path();
    if (time == 0) std::ofstream(last = late.string()) << "of another program";
  }
  for (const char* odd :
       {"events.out.tfevents.", "events.out.tfevents.x", "events.out.tfevents.99999999999.a"})
    std::ofstream(folder / odd) << "no time";
  EXPECT_EQ(EventFile(folder.string()).path().substr(0, late.string().size() - 11),
            (folder / "events.out.tfevents.9000000003").string());
  std::filesystem::remove_all(folder);
}

TEST(EventFiles, a_folder_that_cannot_be_is_the_users_mistake) {
  try {
    EventFile file("/proc/no/such");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("--logging_dir"), std::string::npos);
  }
}

}  // namespace
}  // namespace leco
