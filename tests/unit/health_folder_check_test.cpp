// Folders: what is tried in them, and what is made of it.
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "health/folder_check.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
constexpr int64_t kMib = int64_t{1} << 20;
constexpr const char* kName = ".leco-doctor-test";

class FolderCheck : public ::testing::Test {
 protected:
  FolderCheck() { fs::create_directories(folder_); }
  ~FolderCheck() override { fs::remove_all(folder_); }
  fs::path folder_ = fs::path(::testing::TempDir()) / ("leco_folder_check_" + std::to_string(getpid()));
};

TEST_F(FolderCheck, a_file_is_there_while_the_trial_lasts_and_gone_afterwards) {
  {
    const FolderTrial trial(folder_, kName);
    EXPECT_EQ(trial.facts().trouble, "");
    EXPECT_GT(trial.facts().free_bytes, 0);
    EXPECT_GT(trial.facts().seconds, 0);
    EXPECT_TRUE(FolderTrial::is_seen(folder_, kName));
  }
  EXPECT_FALSE(FolderTrial::is_seen(folder_, kName));
  EXPECT_TRUE(fs::is_empty(folder_));
}

TEST_F(FolderCheck, a_missing_folder_is_tried_where_it_would_be_made_and_not_made) {
  const std::string missing = folder_ / "a" / "b";
  EXPECT_EQ(existing_part(missing), folder_.string());
  const FolderTrial trial(missing, kName);
  EXPECT_EQ(trial.facts().trouble, "");
  EXPECT_TRUE(fs::exists(folder_ / kName));
  EXPECT_FALSE(fs::exists(folder_ / "a"));
  EXPECT_EQ(existing_part("leco_no_such_folder/x"), ".");
  EXPECT_EQ(existing_part(""), ".");
}

TEST_F(FolderCheck, a_file_in_place_of_the_folder_fails) {
  std::ofstream(folder_ / "file") << "x";
  for (const fs::path& path : {folder_ / "file", folder_ / "file" / "below"}) {
    const FolderTrial trial(path, kName);
    EXPECT_NE(trial.facts().trouble.find("Not a directory"), std::string::npos) << trial.facts().trouble;
    EXPECT_EQ(folder_check(trial.facts()).verdict, Verdict::kFailed);
  }
}

TEST(FolderVerdict, room_speed_and_place_decide) {
  const FolderFacts good{.path = "out", .free_bytes = 100'000 * kMib, .seconds = 0.004};
  EXPECT_EQ(folder_check(good).verdict, Verdict::kOk);
  EXPECT_EQ(folder_check(good).found, "'out': 97.7 GiB free, 1 MB on the disk in 4 ms");
  const auto with = [&](auto change) {
    FolderFacts facts = good;
    change(facts);
    return folder_check(facts);
  };
  EXPECT_EQ(with([](auto& facts) { facts.free_bytes = 63 * kMib; }).verdict, Verdict::kFailed);
  EXPECT_EQ(with([](auto& facts) { facts.trouble = "cannot write"; }).verdict, Verdict::kFailed);
  EXPECT_EQ(with([](auto& facts) { facts.free_bytes = 65 * kMib; }).verdict, Verdict::kWarning);
  EXPECT_EQ(with([](auto& facts) { facts.seconds = 3; }).verdict, Verdict::kWarning);
  EXPECT_EQ(with([](auto& facts) { facts.is_in_memory = true; }).verdict, Verdict::kWarning);
  EXPECT_EQ(other_node_check("out", true).verdict, Verdict::kOk);
  EXPECT_EQ(other_node_check("out", false).verdict, Verdict::kWarning);
}

}  // namespace
}  // namespace leco
