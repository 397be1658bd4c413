// Who does which run: markers, claims, and how much a file system is asked for it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <numeric>
#include <queue>
#include <random>
#include <set>

#include "sweep/run_marker.h"
#include "sweep/run_queue.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

class SweepClaims : public ::testing::Test {
 protected:
  // In memory where that is to be had: tens of thousands of files are made.
  SweepClaims()
      : folder_((fs::exists("/dev/shm") ? fs::path("/dev/shm") : fs::temp_directory_path()) /
                ("leco_sweep_" + std::to_string(getpid()))) {
    fs::remove_all(folder_);
    fs::create_directories(folder_);
  }
  ~SweepClaims() override { fs::remove_all(folder_); }

  std::string folder(size_t run) const { return (folder_ / ("run" + std::to_string(run))).string(); }
  std::vector<std::string> folders(size_t count) const {
    std::vector<std::string> all;
    for (size_t run = 0; run < count; ++run) all.push_back(folder(run));
    return all;
  }
  FolderBoard board(size_t count) const { return {folders(count), std::vector<OldMarkers>(count)}; }

  void write(size_t run, const std::string& name, const std::string& text) const {
    fs::create_directories(folder(run));
    std::ofstream(fs::path(folder(run)) / name) << text;
  }
  void finish(size_t run) const {
    write(run, "x.safetensors", "weights");
    write_done(folder(run), with_files({.run = "x"}, folder(run), {"x.safetensors"}));
  }
  // Of a host that is gone; `age` seconds ago it was touched.
  void write_foreign_claim(size_t run, int age) const {
    write(run, "sweep.claim",
          "process 1\nstart 1\nspace another-boot/pid:[1]\nhost gone\nsince 2026-01-01T00:00:00Z\n");
    const timespec times[2] = {{time(nullptr) - age, 0}, {time(nullptr) - age, 0}};
    utimensat(AT_FDCWD, claim_path(folder(run)).c_str(), times, 0);
  }

  static std::vector<size_t> in_order(size_t count) {
    std::vector<size_t> order(count);
    std::iota(order.begin(), order.end(), size_t{0});
    return order;
  }

  fs::path folder_;
};

TEST_F(SweepClaims, ADoneMarkerReadsBackAndTellsDamage) {
  write(0, "x.safetensors", "weights");
  write(0, "x.metrics.jsonl", "{}");
  write_failed(folder(0), {.error = "once", .attempts = 2, .seconds = 1});
  EXPECT_EQ(read_failed(folder(0))->error, "once");
  const DoneMarker marker = with_files({.run = "x",
                                        .settings = {{"seed", "1"}},
                                        .seconds = 2.5,
                                        .evaluation_seconds = 1.5,
                                        .final_loss = 0.25,
                                        .cost = 7},
                                       folder(0), {"x.safetensors", "x.metrics.jsonl"});
  write_trained(folder(0), marker);
  EXPECT_EQ(read_trained(folder(0))->final_loss, 0.25);
  EXPECT_EQ(read_trained(folder(0))->evaluation_seconds, 1.5);
  EXPECT_EQ(damage_of(trained_path(folder(0)), marker), "");
  EXPECT_TRUE(read_failed(folder(0)));
  EXPECT_FALSE(read_done(folder(0)));
  write_done(folder(0), marker);
  EXPECT_FALSE(read_failed(folder(0)));
  EXPECT_FALSE(read_trained(folder(0)));
  const auto done = read_done(folder(0));
  ASSERT_TRUE(done);
  EXPECT_EQ(done->settings, (NamedTexts{{"seed", "1"}}));
  EXPECT_EQ(done->files[1].name, "x.metrics.jsonl");
  EXPECT_EQ(done->final_loss, 0.25);
  EXPECT_EQ(damage_of(done_path(folder(0)), *done), "");

  write(0, "x.safetensors", "wEights");
  const timespec then = time_of_file(done_path(folder(0)));
  for (const time_t later : {0, 5}) {  // 0: as on a file system that counts in seconds
    const timespec times[2] = {{then.tv_sec + later, then.tv_nsec}, {then.tv_sec + later, then.tv_nsec}};
    utimensat(AT_FDCWD, (folder(0) + "/x.safetensors").c_str(), times, 0);
    EXPECT_EQ(damage_of(done_path(folder(0)), *done), "x.safetensors was changed") << later;
  }
  write(0, "x.safetensors", "weight");
  EXPECT_EQ(damage_of(done_path(folder(0)), *done), "x.safetensors has 6 bytes instead of 7");
  fs::remove(folder(0) + "/x.safetensors");
  EXPECT_EQ(damage_of(done_path(folder(0)), *done), "x.safetensors is missing");
  write(0, "sweep.done.json", "{\"format\": 1}");
  EXPECT_FALSE(read_done(folder(0)));
}

TEST_F(SweepClaims, DifferencesNameWhatBothSetAndDiffer) {
  EXPECT_EQ(differences({{"rank", "4"}, {"seed", "1"}, {"old", "x"}, {kPromptsChecksum, "3f"}},
                        {{"rank", "8"}, {"seed", ""}, {"new", "y"}, {kPromptsChecksum, "a0"}}),
            (std::vector<std::string>{"rank is 4 there and 8 here", "the prompts are others"}));
}

TEST_F(SweepClaims, ARunIsClaimedOnceAndNotAgainWhenFinished) {
  FolderBoard board = this->board(2);
  EXPECT_EQ(board.look(0), RunState::kFree);
  auto claim = board.claim(0);
  ASSERT_TRUE(claim);
  EXPECT_EQ(board.look(0), RunState::kTaken);
  EXPECT_FALSE(board.claim(0));
  finish(0);
  claim.reset();
  EXPECT_EQ(board.look(0), RunState::kDone);
  EXPECT_FALSE(board.claim(0));
  write_failed((fs::create_directories(folder(1)), folder(1)), {.error = "e"});
  EXPECT_EQ(board.look(1), RunState::kFailed);
  EXPECT_FALSE(board.claim(1));
}

TEST_F(SweepClaims, ARunThatCannotBeClaimedIsToldOfOnceAndTheOthersAreTaken) {
  FolderBoard board = this->board(3);
  std::ofstream(folder(1)) << "a file where its folder is to be";
  RunQueue queue(board, in_order(3), {1});
  std::vector<RunQueue::Taken> kept;
  while (auto taken = queue.next()) kept.push_back(std::move(*taken));
  ASSERT_EQ(kept.size(), 2u);
  EXPECT_EQ(kept[0].run, 0u);
  EXPECT_EQ(kept[1].run, 2u);
  size_t left = 0;
  EXPECT_FALSE(queue.next_left_over(left));
  EXPECT_EQ(left, 0u);
  ASSERT_EQ(queue.refused().size(), 1u);
  EXPECT_EQ(queue.refused()[0].run, 1u);
  EXPECT_NE(queue.refused()[0].error.find("run1"), std::string::npos) << queue.refused()[0].error;
}

TEST_F(SweepClaims, MarkersFromBeforeTheStartDoNotCount) {
  finish(0);
  FolderBoard again(folders(1), {{.done = time_of_file(done_path(folder(0)))}});
  EXPECT_EQ(again.look(0), RunState::kFree);
  ASSERT_TRUE(again.claim(0));
  EXPECT_FALSE(fs::exists(done_path(folder(0))));
  EXPECT_EQ(read_trained(folder(0))->run, "x");  // what was made of it then is known
}

TEST_F(SweepClaims, ADeadHostsClaimIsTakenOverOnceItIsStale) {
  write_foreign_claim(0, 61);
  write_foreign_claim(1, 5);
  FolderBoard board = this->board(2);
  EXPECT_TRUE(board.claim(0));
  EXPECT_FALSE(board.claim(1));
}

TEST_F(SweepClaims, TheQueueGivesTheCostliestThatNobodyHasAndBegunOnesFirst) {
  FolderBoard board = this->board(6);
  const auto other = board.claim(4);
  write_foreign_claim(2, 100);
  finish(1);
  RunQueue queue(board, {5, 4, 3, 2, 1, 0}, {4, 2});
  std::vector<size_t> order;
  std::vector<RunQueue::Taken> kept;
  while (auto taken = queue.next()) {
    order.push_back(taken->run);
    kept.push_back(std::move(*taken));
  }
  EXPECT_EQ(order, (std::vector<size_t>{2, 5, 3, 0}));
}

TEST_F(SweepClaims, WhatADeadOwnerLeftIsFoundAtTheEndAndALivingOneIsLeftAlone) {
  FolderBoard board = this->board(3);
  write_foreign_claim(0, 5);
  write_foreign_claim(1, 5);
  RunQueue queue(board, in_order(3));
  const auto own = queue.next();
  ASSERT_TRUE(own);
  EXPECT_EQ(own->run, 2u);
  EXPECT_FALSE(queue.next());
  size_t left = 0;
  EXPECT_FALSE(queue.next_left_over(left));
  EXPECT_EQ(left, 2u);
  EXPECT_FALSE(queue.others_live());
  write_foreign_claim(0, 100);  // nobody has touched it for long
  write_foreign_claim(1, 4);    // touched
  const auto taken = queue.next_left_over(left);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->run, 0u);
  EXPECT_FALSE(queue.next_left_over(left));
  EXPECT_EQ(left, 1u);
  EXPECT_TRUE(queue.others_live());
}

// Counts what reaches the file system; FolderBoard's look() makes up to four calls, claim() up to a dozen.
class CountingBoard final : public RunBoard {
 public:
  explicit CountingBoard(RunBoard& board) : board_(board) {}
  RunState look(size_t run) override {
    ++looks;
    return board_.look(run);
  }
  std::unique_ptr<ClaimFile> claim(size_t run) override {
    ++claims;
    return board_.claim(run);
  }
  timespec touched(size_t run) override { return board_.touched(run); }
  int64_t looks = 0, claims = 0;

 private:
  RunBoard& board_;
};

TEST_F(SweepClaims, SixtyFourClaimantsShareTenThousandRunsWithFewFileOperations) {
  constexpr size_t kRuns = 10'000, kClaimants = 64;
  FolderBoard folders = board(kRuns);
  CountingBoard board(folders);
  std::vector<RunQueue> queues;
  for (size_t i = 0; i < kClaimants; ++i) queues.emplace_back(board, in_order(kRuns));
  struct Working {
    double until;
    size_t claimant;
    bool operator>(const Working& other) const { return until > other.until; }
  };
  std::priority_queue<Working, std::vector<Working>, std::greater<>> working;
  for (size_t i = 0; i < kClaimants; ++i) working.push({0, i});
  std::map<size_t, RunQueue::Taken> held;
  std::set<size_t> done;
  std::mt19937 random(1);
  std::uniform_real_distribution<double> length(0.5, 1.5);
  int64_t most_looks = 0;
  while (!working.empty()) {
    const auto [now, claimant] = working.top();
    working.pop();
    if (const auto had = held.find(claimant); had != held.end()) {
      std::ofstream(done_path(folder(had->second.run))) << "{}";
      EXPECT_TRUE(done.insert(had->second.run).second);
      held.erase(had);
    }
    const int64_t before = board.looks;
    auto taken = queues[claimant].next();
    most_looks = std::max(most_looks, board.looks - before);
    if (!taken) continue;
    held.emplace(claimant, std::move(*taken));
    working.push({now + length(random), claimant});
  }
  EXPECT_EQ(done.size(), kRuns);
  EXPECT_LE(board.claims, static_cast<int64_t>(kRuns + kRuns / 10));  // hardly ever two for one run
  EXPECT_LE(board.looks, static_cast<int64_t>(20 * kRuns));
  EXPECT_LE(most_looks, 40);  // no claim goes through the list
  size_t left = 0;
  const int64_t before = board.looks;
  EXPECT_FALSE(queues[0].next_left_over(left));  // one of them does, once
  EXPECT_LE(board.looks - before, static_cast<int64_t>(kRuns));
  EXPECT_EQ(left, 0u);
  RecordProperty("looks_a_run", std::to_string(static_cast<double>(board.looks) / kRuns));
  std::printf("looks a run %.1f, claims %ld, most looks a claim %ld\n",
              static_cast<double>(board.looks) / kRuns, static_cast<long>(board.claims),
              static_cast<long>(most_looks));
}

}  // namespace
}  // namespace leco
