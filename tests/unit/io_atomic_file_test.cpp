#include "io/atomic_file.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <fstream>
#include <vector>

#include "core/error.h"
#include "core/read_file.h"
#include "io/digest.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

class AtomicFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(testing::TempDir()) / ("leco-atomic-" + std::to_string(getpid()));
    fs::create_directories(folder_);
  }
  void TearDown() override { fs::remove_all(folder_); }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(folder_))
      found.push_back(entry.path().filename().string());
    return found;
  }
  fs::path folder_;
};

// What saving says when it fails; the status must be `status`.
std::string failure_of(const std::string& path, std::string_view contents, ExitStatus status) {
  try {
    write_file_atomically(path, contents);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), status) << error.what();
    return error.what();
  }
  return {};
}

// A mount that only this process sees, and that ends with it.
bool mount_for_this_process(const std::string& folder, unsigned long flags, const char* options) {
  static const bool own_namespace =
      unshare(CLONE_NEWNS) == 0 && mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr) == 0;
  return own_namespace && mount("tmpfs", folder.c_str(), "tmpfs", flags, options) == 0;
}

TEST_F(AtomicFiles, HaveTheirNameOnlyWhenWhole) {
  const std::string target = path("lora.safetensors");
  write_file_atomically(target, "old");
  {
    AtomicFile file(target);
    file.write("new ");
    file.write("contents");
    EXPECT_TRUE(fs::exists(path(".lora.safetensors.tmp-" + std::to_string(getpid()))));
    EXPECT_EQ(read_local_file(target), "old");
    file.commit();
    EXPECT_EQ(read_local_file(target), "new contents");
  }
  EXPECT_EQ(names(), std::vector<std::string>{"lora.safetensors"});
  EXPECT_EQ(read_local_file(target), "new contents");
}

TEST_F(AtomicFiles, LeaveNothingWhenGivenUp) {
  {
    AtomicFile file(path("a"));
    file.write("half");
  }
  EXPECT_TRUE(names().empty());
}

TEST_F(AtomicFiles, TakeTheUsualPermissions) {
  const mode_t mask = umask(027);
  write_file_atomically(path("a"), "x");
  umask(mask);
  EXPECT_EQ(fs::status(path("a")).permissions(), fs::perms(0640));
}

TEST_F(AtomicFiles, ReplaceWhatAKilledProcessOfTheSameNumberLeft) {
  const std::string stale = path(".a.tmp-" + std::to_string(getpid()));
  const std::string elsewhere = path("elsewhere");
  write_file_atomically(elsewhere, "untouched");
  fs::create_symlink(elsewhere, stale);  // must not be followed either
  write_file_atomically(path("a"), "x");
  EXPECT_EQ(read_local_file(path("a")), "x");
  EXPECT_EQ(read_local_file(elsewhere), "untouched");
  EXPECT_FALSE(fs::exists(fs::symlink_status(stale)));
}

TEST_F(AtomicFiles, NameTheFolderThatCannotBeWritten) {
  EXPECT_EQ(failure_of(path("none/a"), "x", ExitStatus::kUsage),
            "cannot write '" + path("none/a") + "': No such file or directory");
  write_file_atomically(path("file"), "x");
  EXPECT_EQ(failure_of(path("file/a"), "x", ExitStatus::kUsage),
            "cannot write '" + path("file/a") + "': Not a directory");
  EXPECT_EQ(failure_of(path("file/"), "x", ExitStatus::kUsage),
            "cannot write '" + path("file/") + "': the path names a folder, not a file");
  fs::create_directory(path("folder"));
  EXPECT_EQ(failure_of(path("folder"), "x", ExitStatus::kUsage),
            "cannot write '" + path("folder") + "': Is a directory");
  fs::permissions(folder_, fs::perms(0555));
  const bool is_root = geteuid() == 0;
  if (is_root) seteuid(65534);  // root may write everywhere
  EXPECT_EQ(failure_of(path("a"), "x", ExitStatus::kUsage),
            "cannot write '" + path("a") + "': Permission denied");
  if (is_root) seteuid(0);
  fs::permissions(folder_, fs::perms(0755));
}

TEST_F(AtomicFiles, KeepTheLastGoodOneWhenALimitIsReached) {
  const std::string target = path("a");
  write_file_atomically(target, "last good");
  rlimit before;
  ASSERT_EQ(getrlimit(RLIMIT_FSIZE, &before), 0);
  const auto handler = std::signal(SIGXFSZ, SIG_IGN);
  const rlimit small = {4096, before.rlim_max};
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &small), 0);
  const std::string said = failure_of(target, std::string(10000, 'x'), ExitStatus::kFailure);
  ASSERT_EQ(setrlimit(RLIMIT_FSIZE, &before), 0);
  std::signal(SIGXFSZ, handler);
  EXPECT_EQ(said, "cannot write '" + target + "': File too large");
  EXPECT_EQ(read_local_file(target), "last good");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

TEST_F(AtomicFiles, KeepTheLastGoodOneWhenTheDiskIsFull) {
  if (!mount_for_this_process(folder_.string(), 0, "size=64k"))
    GTEST_SKIP() << "mounting a small disk needs root";
  const std::string target = path("a");
  write_file_atomically(target, "last good");
  EXPECT_EQ(failure_of(target, std::string(200000, 'x'), ExitStatus::kFailure),
            "cannot write '" + target + "': No space left on device");
  EXPECT_EQ(read_local_file(target), "last good");
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
  write_file_atomically(target, std::string(30000, 'y'));  // and there is room again
  umount(folder_.c_str());
}

TEST_F(AtomicFiles, NameADiskThatIsReadOnly) {
  if (!mount_for_this_process(folder_.string(), MS_RDONLY, "size=64k")) GTEST_SKIP() << "mounting needs root";
  EXPECT_EQ(failure_of(path("a"), "x", ExitStatus::kUsage),
            "cannot write '" + path("a") + "': Read-only file system");
  umount(folder_.c_str());
}

TEST_F(AtomicFiles, LeaveNothingBehindASignalThatRemovesTheOneBeingWritten) {
  {
    AtomicFile file(path("a"));
    file.write("half");
    EXPECT_EQ(names().size(), 1u);
    remove_temporary_file();
    EXPECT_TRUE(names().empty());
  }
  write_file_atomically(path("a"), "whole");
  remove_temporary_file();  // nothing is being written
  EXPECT_EQ(names(), std::vector<std::string>{"a"});
}

// FIPS 180-4's examples.
TEST_F(AtomicFiles, HaveTheKnownSha256) {
  EXPECT_EQ(sha256(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  write_file_atomically(path("a"), "abc");
  EXPECT_EQ(sha256_of_file(path("a")), sha256("abc"));
  const std::string million(1'000'000, 'a');
  EXPECT_EQ(sha256(million), "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
  const std::string large = million + million + million;  // longer than a piece
  write_file_atomically(path("b"), large);
  EXPECT_EQ(sha256_of_file(path("b")), sha256(large));
  EXPECT_THROW(sha256_of_file(path("none")), Error);
  EXPECT_THROW(sha256_of_file(folder_.string()), Error);
}

}  // namespace
}  // namespace leco
