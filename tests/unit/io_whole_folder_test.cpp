#include "io/whole_folder.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "core/error.h"
#include "core/read_file.h"
#include "tests/support/temporary_folder.h"

namespace leco {
namespace {

namespace fs = std::filesystem;
using Names = std::vector<std::string>;

struct WholeFolders : ::testing::Test {
  testing::TemporaryFolder folder{"leco-whole"};
  std::string path = folder / "x-state";

  void save(const std::string& text) const {
    WholeFolder state(path);
    state.write("lora.safetensors", text);
    state.write("state.json", "{}");
    state.commit();
  }
};

TEST_F(WholeFolders, HaveTheirNameOnlyWhenCommitted) {
  WholeFolder state(path);
  state.write("lora.safetensors", "weights");
  EXPECT_FALSE(fs::exists(path));
  state.commit();
  EXPECT_EQ(folder.names(), Names{"x-state"});
  EXPECT_EQ(read_local_file(path + "/lora.safetensors"), "weights");
  EXPECT_EQ(damage_of(path), "");
}

TEST_F(WholeFolders, LeaveNothingWhenTheyAreGivenUp) {
  { WholeFolder(path).write("lora.safetensors", "weights"); }
  EXPECT_EQ(folder.names(), Names{});
}

TEST_F(WholeFolders, ReplaceAnEarlierOneAndLeaveNothingOfIt) {
  save("first");
  std::ofstream(path + "/stray") << "of the first";
  save("second");
  EXPECT_EQ(folder.names(), Names{"x-state"});
  EXPECT_EQ(read_local_file(path + "/lora.safetensors"), "second");
  EXPECT_FALSE(fs::exists(path + "/stray"));
  EXPECT_EQ(damage_of(path), "");
}

TEST_F(WholeFolders, AreAbsentOrWholeWheneverTheProcessIsKilled) {
  save("before");
  const std::string large(1 << 16, 'w');
  for (int microseconds = 0; microseconds < 6000; microseconds += 200) {
    const pid_t child = fork();
    if (child == 0) {
      for (;;) save(large);
    }
    usleep(static_cast<useconds_t>(microseconds));
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
    EXPECT_EQ(damage_of(path), "") << "killed after " << microseconds << " us";
  }
}

TEST_F(WholeFolders, ThatWereDamagedLaterAreToldApart) {
  const auto damage_after = [&](auto harm) {
    save("weights");
    harm();
    return damage_of(path);
  };
  const auto overwrite = [&](const std::string& name, const std::string& text) {
    std::ofstream(path + "/" + name, std::ios::trunc) << text;
  };
  EXPECT_EQ(damage_after([&] { fs::remove(path + "/DONE"); }), "DONE is missing");
  EXPECT_EQ(damage_after([&] { overwrite("DONE", "{\"format\": 1"); }), "DONE is no manifest");
  for (const char* files :
       {R"({"a": 3})", R"({"a": {"bytes": "3", "sha256": ""}})", R"({"a": {"bytes": -1}})",
        R"({"a": {"bytes": 1, "sha256": 5}})", "{}", "[]", "null"})
    EXPECT_EQ(
        damage_after([&] { overwrite("DONE", fmt::format("{{\"format\": 1, \"files\": {}}}", files)); }),
        "DONE is no manifest")
        << files;
  EXPECT_EQ(damage_after([&] { overwrite("DONE", R"({"format": "one", "files": {}})"); }),
            "another version of leco wrote it");
  EXPECT_EQ(damage_after([&] { overwrite("DONE", "{\"format\": 2, \"files\": {}}"); }),
            "another version of leco wrote it");
  EXPECT_EQ(damage_after([&] { overwrite("lora.safetensors", "weight"); }),
            "lora.safetensors has 6 bytes instead of 7");
  EXPECT_EQ(damage_after([&] { overwrite("lora.safetensors", "Weights"); }),
            "lora.safetensors has another checksum than DONE says");
  EXPECT_EQ(damage_after([&] { fs::remove(path + "/state.json"); }),
            "state.json cannot be read: No such file or directory");
}

TEST_F(WholeFolders, InAFolderThatIsNotThereAreTheUsersMistake) {
  try {
    WholeFolder(folder / "missing/x-state");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("missing/x-state': No such file or directory"),
              std::string::npos)
        << error.what();
  }
}

}  // namespace
}  // namespace leco
