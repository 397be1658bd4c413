// What sweeps that share a folder ask of its runs, and that none overrules another unseen.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "core/read_file.h"
#include "sweep/sweep_record.h"
#include "tests/support/temporary_folder.h"

namespace leco {
namespace {

const std::string kSize = "size", kHue = "hue", kWide = "wide";
const NamedTexts kSeed1 = {{"seed", "1"}, {"steps", "10"}}, kSeed2 = {{"seed", "2"}, {"steps", "10"}},
                 kAnySeed = {{"seed", ""}, {"steps", "10"}};

class SweepRecordTest : public ::testing::Test {
 protected:
  SweepRecord record() const { return SweepRecord(folder_ / "."); }
  std::string contents() const { return read_local_file(record().path()); }
  testing::TemporaryFolder folder_{"leco-sweep-record"};
};

TEST_F(SweepRecordTest, WhoeverAsksForTheSameAgreesAndWritesNothing) {
  SweepRecord first = record(), second = record();
  EXPECT_EQ(first.agree({{kSize, kSeed1}, {kHue, kSeed2}}), "");
  const auto json = nlohmann::json::parse(contents());
  EXPECT_EQ(json["settings"], (nlohmann::json{{"seed", "1"}, {"steps", "10"}}));
  EXPECT_EQ(json["runs"], (nlohmann::json{{"size", nlohmann::json::object()}, {"hue", {{"seed", "2"}}}}));
  const auto written = std::filesystem::last_write_time(first.path());
  EXPECT_EQ(second.agree({{kHue, kSeed2}}), "");
  EXPECT_EQ(second.agree({{kSize, kAnySeed}}), "") << "a seed that is to be drawn differs from none";
  EXPECT_EQ(std::filesystem::last_write_time(first.path()), written);
}

TEST_F(SweepRecordTest, OtherSettingsOfOneRunAreTold) {
  SweepRecord first = record(), second = record();
  EXPECT_EQ(first.agree({{kSize, kSeed1}, {kHue, kSeed2}}), "");
  const std::string conflict = second.agree({{kSize, kSeed1}, {kHue, kSeed1}, {kWide, kSeed1}});
  EXPECT_EQ(conflict, "for 'hue' seed is 2 there and 1 here");
  EXPECT_EQ(second.agree({{kHue, kSeed1}}), conflict) << "and again as long as it is so";
  second.replace({{kSize, kSeed1}, {kHue, kSeed1}});
  EXPECT_EQ(second.agree({{kSize, kSeed1}, {kHue, kSeed1}}), "");
  EXPECT_EQ(first.agree({{kSize, kSeed1}, {kHue, kSeed2}}), "for 'hue' seed is 1 there and 2 here");
}

TEST_F(SweepRecordTest, AnExtendedSweepAddsItsRunsAndTheFirstStillAgrees) {
  SweepRecord first = record(), second = record(), third = record();
  EXPECT_EQ(first.agree({{kSize, kSeed1}}), "");
  EXPECT_EQ(second.agree({{kSize, kSeed1}, {kHue, kSeed2}}), "");
  EXPECT_EQ(first.agree({{kSize, kSeed1}}), "");
  EXPECT_EQ(third.agree({{kHue, kSeed1}}), "for 'hue' seed is 2 there and 1 here");
}

TEST_F(SweepRecordTest, WhatCannotBeReadIsWrittenAnew) {
  for (const char* text : {"", "no json", "[]", "{\"format\": 1, \"settings\": 3}", "{\"format\": 9}"}) {
    std::ofstream(record().path()) << text;
    EXPECT_EQ(record().agree({{kSize, kSeed1}}), "") << text;
    EXPECT_EQ(record().agree({{kSize, kSeed2}}), "for 'size' seed is 1 there and 2 here") << text;
  }
}

}  // namespace
}  // namespace leco
