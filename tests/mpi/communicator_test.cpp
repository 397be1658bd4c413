// Every collective of the local and the MPI back-end against answers known beforehand, on as many ranks as
// mpirun gives.
#include <gtest/gtest.h>
#include <torch/types.h>

#include <chrono>
#include <cmath>
#include <limits>
#include <thread>

#include "comm/gather_texts.h"
#include "comm/local_communicator.h"
#include "comm/mpi_communicator.h"
#include "comm/mpi_error.h"
#include "comm/watchdog.h"
#include "core/error.h"
#include "tests/support/mpi_main.h"

namespace leco {
namespace {

using leco::testing::test_world;

constexpr int64_t kLength = 61;  // no multiple of any chunk below

const std::vector<torch::Dtype> kReducible = {torch::kFloat32, torch::kFloat64, torch::kInt32, torch::kInt64};

struct Backend {
  const char* name;
  std::unique_ptr<Communicator> (*make)();
};

void PrintTo(const Backend& backend, std::ostream* out) {
  *out << backend.name;
}

const Backend kBackends[] = {
    {"host", [] { return test_world().host().split(0); }},
    {"training_on_cpu", [] { return test_world().communicator_for(torch::kCPU); }},
    {"mpi", [] { return make_mpi_communicator(); }},
    {"mpi_by_sevens", [] { return make_mpi_communicator(7); }},
    {"mpi_by_ones", [] { return make_mpi_communicator(1); }},
    {"split_of_chunked", [] { return make_mpi_communicator(16)->split(3); }},
};

class CommunicatorTest : public ::testing::TestWithParam<Backend> {
 protected:
  std::unique_ptr<Communicator> group_ = GetParam().make();
  int64_t rank_ = group_->rank();
  int64_t size_ = group_->size();
};

INSTANTIATE_TEST_SUITE_P(Backends, CommunicatorTest, ::testing::ValuesIn(kBackends),
                         [](const auto& info) { return std::string(info.param.name); });

TEST_P(CommunicatorTest, HasTheRanksOfTheWorld) {
  EXPECT_EQ(rank_, test_world().rank());
  EXPECT_EQ(size_, test_world().size());
}

TEST_P(CommunicatorTest, SumsOfWholeNumbersAreExactInEveryType) {
  for (const auto type : kReducible) {
    const auto ramp = torch::arange(kLength, torch::kInt64) - 20;
    auto tensor = (ramp * (rank_ + 1)).to(type);
    group_->all_reduce(tensor, Reduce::kSum);
    EXPECT_TRUE(tensor.equal((ramp * (size_ * (size_ + 1) / 2)).to(type))) << type;
  }
}

TEST_P(CommunicatorTest, SumsOfPowersOfTwoAreExact) {
  for (const auto type : {torch::kFloat32, torch::kFloat64}) {
    const auto powers = torch::exp2(torch::arange(kLength, torch::kFloat64) - 30);
    auto tensor = (powers * std::exp2(-static_cast<double>(rank_))).to(type);
    group_->all_reduce(tensor, Reduce::kSum);
    const double total = 2 - std::exp2(1 - static_cast<double>(size_));
    EXPECT_TRUE(tensor.equal((powers * total).to(type))) << type;
  }
}

TEST_P(CommunicatorTest, SumsOfInt64NearTheTopKeepTheirLowBits) {
  constexpr int64_t kTop = int64_t{1} << 62;
  auto tensor = torch::empty({kLength}, torch::kInt64);
  auto expected = torch::empty({kLength}, torch::kInt64);
  for (int64_t i = 0; i < kLength; ++i) {
    const int64_t sign = i % 2 == 0 ? 1 : -1;
    const int64_t share = kTop / size_;
    tensor[i] = sign * (share + i * (rank_ + 1));  // odd low bits that a double would round away
    expected[i] = sign * (share * size_ + i * size_ * (size_ + 1) / 2);
  }
  group_->all_reduce(tensor, Reduce::kSum);
  EXPECT_TRUE(tensor.equal(expected));
}

TEST_P(CommunicatorTest, MaximaAreExactInEveryType) {
  for (const auto type : kReducible) {
    const auto ramp =
        torch::arange(kLength, torch::kInt64) - 100;  // all negative: a zero at the start would show
    const auto mine = (torch::arange(kLength, torch::kInt64) % size_).eq(rank_).to(torch::kInt64);
    auto tensor = (ramp - 1000 * (1 - mine)).to(type);
    group_->all_reduce(tensor, Reduce::kMax);
    EXPECT_TRUE(tensor.equal(ramp.to(type))) << type;
  }
}

TEST_P(CommunicatorTest, ReducesScalarsEmptyTensorsAndParameters) {
  auto scalar = torch::scalar_tensor(rank_, torch::kInt64);
  group_->all_reduce(scalar, Reduce::kMax);
  EXPECT_EQ(scalar.item<int64_t>(), size_ - 1);

  auto empty = torch::empty({0, 4}, torch::kFloat32);
  group_->all_reduce(empty, Reduce::kSum);
  group_->broadcast(empty, 0);
  EXPECT_EQ(empty.sizes(), (std::vector<int64_t>{0, 4}));

  auto parameter = torch::ones({3, 5}, torch::kFloat32).requires_grad_();
  group_->all_reduce(parameter, Reduce::kSum);
  EXPECT_TRUE(parameter.detach().equal(torch::full({3, 5}, static_cast<float>(size_))));
  EXPECT_TRUE(parameter.is_leaf() && parameter.requires_grad());
}

TEST_P(CommunicatorTest, RefusesTypesThatItCannotReduce) {
  for (const auto type : {torch::kBool, torch::kUInt8, torch::kInt8, torch::kInt16, torch::kFloat16,
                          torch::kBFloat16, torch::kComplexFloat}) {
    auto tensor = torch::zeros({4}, type);
    EXPECT_THROW(group_->all_reduce(tensor, Reduce::kSum), Error) << type;
  }
  torch::Tensor undefined;
  EXPECT_THROW(group_->all_reduce(undefined, Reduce::kSum), Error);
}

TEST_P(CommunicatorTest, RefusesTensorsThatAreNotContiguous) {
  auto turned = torch::zeros({3, 4}).t();
  auto strided = torch::zeros({8}).slice(0, 0, 8, 2);
  auto sparse = torch::eye(3).to_sparse();
  for (auto* tensor : {&turned, &strided, &sparse}) {
    EXPECT_THROW(group_->all_reduce(*tensor, Reduce::kSum), Error);
    EXPECT_THROW(group_->broadcast(*tensor, 0), Error);
  }
}

TEST_P(CommunicatorTest, ARefusalSaysWhatWasGiven) {
  auto tensor = torch::zeros({3, 4}, torch::kFloat16);
  try {
    group_->all_reduce(tensor, Reduce::kSum);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(
        error.what(),
        "all_reduce takes float32, float64, int32 or int64, not Half of shape [3, 4], strides [4, 1]");
  }
}

TEST_P(CommunicatorTest, BroadcastsAnyTypeFromAnyRootAsBytes) {
  const auto pattern = (torch::arange(kLength, torch::kInt64) * 37) % 251;
  for (const auto type : {torch::kBool, torch::kUInt8, torch::kInt16, torch::kFloat16, torch::kBFloat16,
                          torch::kFloat32, torch::kInt64, torch::kComplexDouble}) {
    for (int root = 0; root < size_; ++root) {
      const auto expected = (type == torch::kBool ? (pattern + root) % 2 : pattern + root).to(type);
      auto tensor = rank_ == root ? expected.clone() : torch::zeros({kLength}, type);
      group_->broadcast(tensor, root);
      EXPECT_TRUE(tensor.equal(expected)) << type << " from " << root;
    }
  }
}

TEST_P(CommunicatorTest, ABroadcastKeepsTheBitsOfNan) {
  const int32_t bits = 0x7fc12345;
  auto tensor = torch::full({kLength}, rank_ == 0 ? bits : 0, torch::kInt32).view(torch::kFloat32);
  group_->broadcast(tensor, 0);
  EXPECT_TRUE(tensor.view(torch::kInt32).eq(bits).all().item<bool>());
}

TEST_P(CommunicatorTest, RefusesARootOutsideTheGroup) {
  auto tensor = torch::zeros({2});
  EXPECT_THROW(group_->broadcast(tensor, -1), Error);
  EXPECT_THROW(group_->broadcast(tensor, static_cast<int>(size_)), Error);
}

TEST_P(CommunicatorTest, GathersOneValueARankInRankOrder) {
  const auto values = group_->all_gather(0.1 * static_cast<double>(rank_ + 1));
  ASSERT_EQ(values.size(), static_cast<std::size_t>(size_));
  for (int64_t r = 0; r < size_; ++r) EXPECT_EQ(values[r], 0.1 * static_cast<double>(r + 1));

  const auto odd = group_->all_gather(rank_ == 0 ? std::nan("") : -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(odd[0]));
  for (int64_t r = 1; r < size_; ++r) EXPECT_EQ(odd[r], -std::numeric_limits<double>::infinity());
}

TEST_P(CommunicatorTest, NobodyLeavesABarrierBeforeTheLastHasCome) {
  // The monotonic clock is one for all processes of a node, and these tests run on one.
  const auto now = [] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
  };
  for (int64_t last = 0; last < size_; ++last) {
    if (rank_ == last) std::this_thread::sleep_for(std::chrono::milliseconds(30));
    const double came = now();
    group_->barrier();
    const double left = now();
    const auto arrivals = group_->all_gather(came);
    EXPECT_GE(left, *std::max_element(arrivals.begin(), arrivals.end()));
  }
}

TEST_P(CommunicatorTest, SplitsByColourInTheOrderOfRanks) {
  const int color = static_cast<int>(rank_ % 2);
  const auto part = group_->split(color);
  EXPECT_EQ(part->size(), (size_ + 1 - color) / 2);
  EXPECT_EQ(part->rank(), rank_ / 2);

  // The two groups do not disturb each other, though they make different numbers of calls of different
  // lengths.
  for (int call = 0; call < 3 + 5 * color; ++call) {
    auto tensor = torch::full({10 + 3 * color}, rank_, torch::kInt64);
    part->all_reduce(tensor, Reduce::kSum);
    int64_t expected = 0;
    for (int64_t r = color; r < size_; r += 2) expected += r;
    EXPECT_TRUE(tensor.eq(expected).all().item<bool>());
  }
  group_->barrier();
}

TEST_P(CommunicatorTest, SplitsAGroupThatWasSplit) {
  const auto part = group_->split(rank_ < 3 ? 0 : 1);  // {0, 1, 2}, {3, 4}
  const auto inner = part->split(part->rank() % 2);    // {0, 2}, {1}, {3}, {4}
  const auto members = inner->all_gather(static_cast<double>(rank_));
  const bool pair = size_ >= 3 && (rank_ == 0 || rank_ == 2);
  EXPECT_EQ(members, pair ? (std::vector<double>{0, 2}) : std::vector<double>{static_cast<double>(rank_)});

  const auto alone = inner->split(inner->rank());
  EXPECT_EQ(alone->size(), 1);
  EXPECT_EQ(alone->all_gather(7.5), std::vector<double>{7.5});
}

TEST_P(CommunicatorTest, RefusesANegativeColour) {
  EXPECT_THROW(group_->split(-1), Error);
}

TEST(MpiCommunicator, RefusesAChunkThatMpiCannotCount) {
  EXPECT_THROW(make_mpi_communicator(0), Error);
  EXPECT_THROW(make_mpi_communicator(std::size_t{INT_MAX} + 1), Error);
}

TEST(MpiError, SaysCodeTextExpressionPlaceAndRank) {
  try {
    LECO_MPI(MPI_Bcast(nullptr, 1, MPI_BYTE, 99, MPI_COMM_WORLD));
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    const std::string text = error.what();
    EXPECT_NE(text.find("rank " + std::to_string(test_world().rank()) + ": MPI error "), std::string::npos)
        << text;
    EXPECT_NE(text.find("MPI_ERR_"), std::string::npos) << text;
    EXPECT_NE(text.find("in MPI_Bcast(nullptr, 1, MPI_BYTE, 99, MPI_COMM_WORLD) at "), std::string::npos)
        << text;
    EXPECT_NE(text.find("communicator_test.cpp:"), std::string::npos) << text;
  }
}

TEST(World, CountsTheRanksOfThisNode) {
  EXPECT_EQ(test_world().local_size(), test_world().size());
  EXPECT_EQ(test_world().local_rank(), test_world().rank());
}

TEST(World, RefusesASecondOne) {
  EXPECT_THROW(World(), Error);
}

TEST(ChooseDevice, TakesCpuAndRefusesUnknownWordsAsTheUsersMistake) {
  EXPECT_EQ(choose_device("cpu", 3), torch::Device(torch::kCPU));
  try {
    choose_device("tpu", 0);
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_STREQ(error.what(), "--device is 'tpu'; allowed: auto, cpu, cuda");
  }
}

TEST(Watch, LetsAnOperationThatReturnsInTimePass) {
  const Watch outer("a test", kNoLimit);
  const Watch inner("a short wait", std::chrono::seconds(30));
  std::this_thread::sleep_for(std::chrono::milliseconds(250));
}

TEST(Watch, TakesOnlyAPositiveLimit) {
  EXPECT_THROW(set_collective_limit(std::chrono::seconds(0)), Error);
}

TEST(GatherTexts, GivesEveryRankTheTextsOfAllInOrder) {
  Communicator& comm = test_world().host();
  const auto text_of = [](int rank) { return "nöde" + std::string(static_cast<size_t>(rank), 'x'); };
  const std::vector<std::string> texts = gather_texts(comm, text_of(comm.rank()), 7);
  ASSERT_EQ(texts.size(), static_cast<size_t>(comm.size()));
  for (int rank = 0; rank < comm.size(); ++rank) EXPECT_EQ(texts[rank], text_of(rank).substr(0, 7));
  EXPECT_EQ(gather_texts(comm, ""), std::vector<std::string>(texts.size()));
}

}  // namespace
}  // namespace leco
