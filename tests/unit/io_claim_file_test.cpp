#include "io/claim_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <ctime>
#include <fstream>

#include "core/read_file.h"
#include "tests/support/temporary_folder.h"

namespace leco {
namespace {

struct ClaimFiles : ::testing::Test {
  testing::TemporaryFolder folder{"leco-claim"};
  std::string path = folder / ".x.owner";
  std::string holder;

  std::unique_ptr<ClaimFile> take() { return ClaimFile::take(path, holder); }

  // The claim of a process that lives until the test kills it.
  pid_t claim_in_a_process() const {
    int ready[2];
    EXPECT_EQ(pipe(ready), 0);
    const pid_t child = fork();
    if (child == 0) {
      std::string nobody;
      const auto claim = ClaimFile::take(path, nobody);
      [[maybe_unused]] const auto told = write(ready[1], claim ? "y" : "n", 1);
      for (;;) pause();
    }
    char taken = 'n';
    EXPECT_EQ(read(ready[0], &taken, 1), 1);
    EXPECT_EQ(taken, 'y');
    close(ready[0]);
    close(ready[1]);
    return child;
  }

  void kill_and_wait(pid_t child) const {
    kill(child, SIGKILL);
    waitpid(child, nullptr, 0);
  }

  // Makes the owner one of another machine, last touched `seconds` ago.
  void move_to_another_machine(int seconds) const {
    std::string text = read_local_file(path);
    text.replace(text.find("space "), 7, "space z");
    std::ofstream(path, std::ios::trunc) << text;
    const timespec then[2] = {{std::time(nullptr) - seconds, 0}, {std::time(nullptr) - seconds, 0}};
    ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), then, 0), 0);
  }
};

TEST_F(ClaimFiles, HaveOneOwnerAtATime) {
  auto first = take();
  ASSERT_TRUE(first);
  EXPECT_FALSE(take());
  EXPECT_NE(holder.find("process " + std::to_string(getpid()) + " on "), std::string::npos) << holder;
  first.reset();
  EXPECT_TRUE(folder.names().empty());
  EXPECT_TRUE(take());
}

TEST_F(ClaimFiles, OfALivingProcessAreRefusedAndOfAKilledOneTakenOver) {
  const pid_t child = claim_in_a_process();
  EXPECT_FALSE(take());
  EXPECT_NE(holder.find("process " + std::to_string(child)), std::string::npos) << holder;
  EXPECT_EQ(ClaimFile::living_owner(path), holder);
  kill_and_wait(child);
  EXPECT_EQ(ClaimFile::living_owner(path), "");
  EXPECT_TRUE(take());
  EXPECT_EQ(ClaimFile::living_owner(path), "") << "given up";
}

TEST_F(ClaimFiles, OfADeadProcessThatNobodyHasWaitedForAreTakenOver) {
  const pid_t child = claim_in_a_process();
  kill(child, SIGKILL);
  siginfo_t gone;
  ASSERT_EQ(waitid(P_PID, static_cast<id_t>(child), &gone, WEXITED | WNOWAIT), 0);  // it stays a zombie
  EXPECT_TRUE(take());
  waitpid(child, nullptr, 0);
}

TEST_F(ClaimFiles, WithAReusedProcessNumberAreTakenOver) {
  kill_and_wait(claim_in_a_process());
  const std::string text = read_local_file(path);
  std::ofstream(path, std::ios::trunc) << "process " << getpid() << "\nstart 1\n"  // lives, but started later
                                       << text.substr(text.find("space "));
  EXPECT_TRUE(take());
}

TEST_F(ClaimFiles, OfAnotherMachineCountByTheirAgeAlsoWhenTheClockJumpedBack) {
  kill_and_wait(claim_in_a_process());
  move_to_another_machine(ClaimFile::kStaleSeconds / 2);
  EXPECT_FALSE(take());
  for (const int age : {2 * ClaimFile::kStaleSeconds, -3600}) {
    move_to_another_machine(age);
    EXPECT_TRUE(take()) << age;
    kill_and_wait(claim_in_a_process());
  }
}

TEST_F(ClaimFiles, ThatAreNotWholeYetBelongToSomeone) {
  std::ofstream(path) << "process 1";
  EXPECT_FALSE(take());
  EXPECT_EQ(holder, "a process that is starting");
}

TEST_F(ClaimFiles, KnowThatTheyWereTaken) {
  const auto claim = take();
  ASSERT_TRUE(claim);
  EXPECT_FALSE(claim->is_lost());
  unlink(path.c_str());
  EXPECT_FALSE(claim->is_lost());  // nobody has it
  const auto other = take();
  EXPECT_TRUE(other);
  EXPECT_TRUE(claim->is_lost());
  EXPECT_FALSE(other->is_lost());
}

TEST_F(ClaimFiles, AreTakenOverByOneOfMany) {
  constexpr int kRivals = 8;
  for (int round = 0; round < 20; ++round) {
    kill_and_wait(claim_in_a_process());
    int taken[2];
    ASSERT_EQ(pipe(taken), 0);
    std::vector<pid_t> rivals;
    for (int i = 0; i < kRivals; ++i) {
      rivals.push_back(fork());
      if (rivals.back() != 0) continue;
      std::string nobody;
      const auto claim = ClaimFile::take(path, nobody);
      [[maybe_unused]] const auto told = write(taken[1], claim && !claim->is_lost() ? "y" : "n", 1);
      for (;;) pause();  // an owner must live until all have looked
    }
    int owners = 0;
    for (int i = 0; i < kRivals; ++i) {
      char answer = 'n';
      ASSERT_EQ(read(taken[0], &answer, 1), 1);
      owners += answer == 'y';
    }
    EXPECT_EQ(owners, 1);
    for (const pid_t rival : rivals) kill_and_wait(rival);
    close(taken[0]);
    close(taken[1]);
  }
}

}  // namespace
}  // namespace leco
