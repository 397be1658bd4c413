// A world that is split into groups: each on its own, and a group in which a rank fails can go on.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <thread>

#include "core/error.h"
#include "tests/support/mpi_main.h"

namespace leco {
namespace {

using leco::testing::test_world;

// Halves; the first is the larger one.
std::unique_ptr<World> half() {
  World& world = test_world();
  return world.split(world.rank() < (world.size() + 1) / 2 ? 0 : 1);
}

double sum_of_ranks(Communicator& comm) {
  torch::Tensor ranks = at::full({5}, comm.rank(), torch::kInt64);
  comm.all_reduce(ranks, Reduce::kSum);
  return ranks[0].item<double>();
}

double expected_sum(const World& world) {
  return world.size() * (world.size() - 1) / 2.0;
}

TEST(Group, IsAWorldOfItsOwnOnTheSameNode) {
  const auto group = half();
  const int larger = (test_world().size() + 1) / 2;
  const bool first = test_world().rank() < larger;
  EXPECT_EQ(group->size(), first ? larger : test_world().size() - larger);
  EXPECT_EQ(group->rank(), first ? test_world().rank() : test_world().rank() - larger);
  EXPECT_EQ(group->local_rank(), test_world().local_rank());
  EXPECT_EQ(group->local_size(), test_world().local_size());
  EXPECT_EQ(sum_of_ranks(group->host()), expected_sum(*group));
  EXPECT_EQ(sum_of_ranks(*group->communicator_for(torch::kCPU)), expected_sum(*group));
  torch::Tensor word = at::full({3}, group->rank() + 7, torch::kInt32);
  group->host().broadcast(word, group->size() - 1);
  EXPECT_EQ(word[2].item<int>(), group->size() + 6);
}

TEST(Group, GoesOnAfterARankFailedWhileTheOthersWaitedForIt) {
  const auto group = half();
  for (int failing = 0; failing < group->size(); ++failing) {
    std::string heard;
    try {
      const auto comm = group->communicator_for(torch::kCPU);
      sum_of_ranks(*comm);
      if (group->rank() == failing) {
        std::this_thread::sleep_for(std::chrono::milliseconds(30 * failing));
        throw Error("no space left on device");
      }
      sum_of_ranks(*comm);
      ADD_FAILURE() << "the sum came out although rank " << failing << " took no part";
    } catch (const PeerFailure& failure) {
      heard = failure.what();
    } catch (const Error& failure) {
      EXPECT_EQ(group->rank(), failing);
      heard = failure.what();
      group->give_up(failure.what());
    }
    EXPECT_EQ(heard, "no space left on device");
    group->renew();
    EXPECT_EQ(sum_of_ranks(group->host()), expected_sum(*group));
    EXPECT_EQ(sum_of_ranks(*group->communicator_for(torch::kCPU)), expected_sum(*group));
  }
}

TEST(Group, GoesOnAfterAllItsRanksFailedAtOnce) {
  const auto group = half();
  for (int time = 0; time < 3; ++time) {
    group->give_up("each for itself");
    group->renew();
    EXPECT_EQ(sum_of_ranks(group->host()), expected_sum(*group));
  }
}

TEST(Group, ABellIsHeardInEveryGroupAndTheEndIsWaitedForTogether) {
  World& world = test_world();
  const auto group = half();
  EXPECT_EQ(world.heard(), 0);
  world.host().barrier();  // all have looked
  if (world.rank() == world.size() - 1) world.ring(15);
  if (world.size() > 1)
    while (world.heard() == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  EXPECT_EQ(world.heard(), world.size() > 1 ? 15 : 0);
  // Each of the others tells rank 0 that it does something while it waits, and only then rank 0 comes.
  for (int told = 1; world.rank() == 0 && told < world.size();) told += world.receive() ? 1 : 0;
  bool has_told = world.rank() == 0;
  world.wait_for_all([&] {
    if (!has_told) world.send(0, "waits");
    has_told = true;
  });
  EXPECT_TRUE(has_told || world.size() == 1);
}

// All ranks in two joined worlds, of which the second takes other ranks in, and back in their groups.
TEST(Group, JoinsOthersInAnyOrderAndLeavesThemAgain) {
  World& world = test_world();
  const auto group = half();
  for (int time = 0; time < 2; ++time) {
    std::vector<int> ranks;  // the last first
    for (int rank = world.size() - 1; rank >= 0; --rank) ranks.push_back(rank);
    const auto all = group->join(ranks);
    EXPECT_EQ(all->size(), world.size());
    EXPECT_EQ(all->rank(), world.size() - 1 - world.rank());
    EXPECT_EQ(all->local_rank(), world.local_rank());
    EXPECT_EQ(sum_of_ranks(*all->communicator_for(torch::kCPU)), expected_sum(*all));
    torch::Tensor word = at::full({3}, world.rank(), torch::kInt32);
    all->host().broadcast(word, 0);
    EXPECT_EQ(word[1].item<int>(), world.size() - 1);
    EXPECT_EQ(sum_of_ranks(group->host()), expected_sum(*group));  // the parts stay
  }
}

TEST(Group, JoinsWhileTheRestOfTheJobIsElsewhere) {
  World& world = test_world();
  const auto single = world.split(world.rank());
  if (world.rank() < 2 && world.size() > 1) {
    const auto pair = single->join({1, 0});
    EXPECT_EQ(pair->rank(), 1 - world.rank());
    EXPECT_EQ(sum_of_ranks(pair->host()), 1);
    if (world.size() > 2) {  // three from two and one: the pair's world lives on until the new one stands
      const auto three = single->join({1, 0, 2});
      EXPECT_EQ(sum_of_ranks(three->host()), 3);
    }
  } else if (world.rank() == 2) {
    const auto three = single->join({1, 0, 2});
    EXPECT_EQ(sum_of_ranks(three->host()), 3);
  }
  world.wait_for_all([] {});
}

TEST(Group, AJoinedWorldInWhichARankFailsIsLeftByAllAndTheGroupsGoOn) {
  World& world = test_world();
  const auto group = half();
  std::vector<int> ranks;
  for (int rank = 0; rank < world.size(); ++rank) ranks.push_back(rank);
  for (int failing = 0; failing < world.size(); ++failing) {
    auto all = group->join(ranks);
    std::string heard;
    try {
      const auto comm = all->communicator_for(torch::kCPU);
      sum_of_ranks(*comm);
      if (world.rank() == failing) throw Error("no memory left");
      sum_of_ranks(*comm);
    } catch (const PeerFailure& failure) {
      heard = failure.what();
    } catch (const Error& failure) {
      heard = failure.what();
      all->give_up(failure.what());
    }
    EXPECT_EQ(heard, world.size() > 1 ? "no memory left" : heard);
    all->renew();
    all.reset();
    EXPECT_EQ(sum_of_ranks(group->host()), expected_sum(*group));
  }
}

TEST(Group, LettersComeInTheirOrderAndFromWhomTheyWereSent) {
  World& world = test_world();
  const auto group = half();
  if (world.size() == 1) {
    EXPECT_FALSE(group->receive());
    return;
  }
  const int next = (world.rank() + 1) % world.size(),
            before = (world.rank() + world.size() - 1) % world.size();
  group->send(next, "first of " + std::to_string(world.rank()));
  group->send(next, "");
  std::vector<Letter> letters;
  while (letters.size() < 2)
    if (auto letter = group->receive()) letters.push_back(std::move(*letter));
  EXPECT_EQ(letters[0].text, "first of " + std::to_string(before));
  EXPECT_EQ(letters[1].text, "");
  for (const Letter& letter : letters) EXPECT_EQ(letter.from, before);
  EXPECT_FALSE(group->receive());
}

}  // namespace
}  // namespace leco
