// NCCL against the MPI back-end, bit for bit. Skips, and says why, where the ranks have no GPU of their own.
#include <c10/core/CachingDeviceAllocator.h>
#include <gtest/gtest.h>
#include <torch/cuda.h>
#include <torch/types.h>

#include <fmt/format.h>

#include <algorithm>

#include "comm/local_communicator.h"
#include "comm/nccl_communicator.h"
#include "core/error.h"
#include "tests/support/mpi_main.h"
#include "train/gradient_merge.h"

namespace leco {
namespace {

using leco::testing::test_world;

constexpr int64_t kLength = 797'184;  // the parameters of a rank-4 LoRA on SD 1.x

// Empty when every rank may use a GPU of its own (or, with `shared`, any GPU); alike on all ranks.
std::string reason_to_skip(bool shared) {
  auto& world = test_world();
  const int visible = built_with_nccl() ? torch::cuda::device_count() : 0;
  const auto counts = world.host().all_gather(visible);
  if (*std::min_element(counts.begin(), counts.end()) < 1) return "no GPU is visible";
  const auto enough = world.host().all_gather(shared || world.local_size() <= visible ? 1 : 0);
  if (*std::min_element(enough.begin(), enough.end()) == 1) return "";
  return fmt::format("{} ranks on this node share {} GPUs; NCCL wants one each", world.local_size(), visible);
}

torch::Device gpu() {
  return choose_device("cuda", test_world().local_rank());
}

int64_t free_memory(torch::Device device) {
  return static_cast<int64_t>(c10::getDeviceAllocator(torch::kCUDA)->getMemoryInfo(device.index()).first);
}

// The same on every run, different on every rank.
torch::Tensor values(torch::Dtype type) {
  const auto place = torch::arange(kLength, torch::kInt64);
  const auto mixed = (place * 2654435761 + test_world().rank() * 40503) % 1000003 - 500000;
  return type == torch::kInt64 ? mixed * (int64_t{1} << 40) + place : mixed.to(type);
}

class NcclMergeTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const auto reason = reason_to_skip(false); !reason.empty()) GTEST_SKIP() << reason;
    nccl_ = make_nccl_communicator(test_world().host().split(0), gpu());
  }
  std::unique_ptr<Communicator> nccl_;
};

TEST_F(NcclMergeTest, SumsAndMaximaEqualThoseOfMpiBitForBit) {
  for (const auto op : {Reduce::kSum, Reduce::kMax}) {
    for (const auto type : {torch::kInt64, torch::kInt32, torch::kFloat32, torch::kFloat64}) {
      auto on_host = values(type);
      auto on_gpu = on_host.to(gpu());
      test_world().host().all_reduce(on_host, op);
      nccl_->all_reduce(on_gpu, op);
      EXPECT_TRUE(on_gpu.cpu().equal(on_host)) << type;
    }
  }
}

TEST_F(NcclMergeTest, BroadcastsBytesOfAnyTypeFromEveryRoot) {
  for (const auto type : {torch::kBool, torch::kUInt8, torch::kFloat16, torch::kBFloat16, torch::kFloat32}) {
    for (int root = 0; root < nccl_->size(); ++root) {
      auto on_host = values(torch::kInt32).to(type);
      auto on_gpu = on_host.to(gpu());
      test_world().host().broadcast(on_host, root);
      nccl_->broadcast(on_gpu, root);
      EXPECT_TRUE(on_gpu.cpu().equal(on_host)) << type << " from " << root;
    }
  }
}

TEST_F(NcclMergeTest, RefusesHostTensorsAndTypesThatItCannotReduce) {
  auto on_host = torch::ones({4}, torch::kFloat32);
  EXPECT_THROW(nccl_->all_reduce(on_host, Reduce::kSum), Error);
  EXPECT_THROW(nccl_->broadcast(on_host, 0), Error);
  auto half = torch::ones({4}, torch::dtype(torch::kFloat16).device(gpu()));
  EXPECT_THROW(nccl_->all_reduce(half, Reduce::kSum), Error);
}

TEST_F(NcclMergeTest, SplitsIntoGroupsThatReduceAmongThemselves) {
  const int color = nccl_->rank() % 2;
  const auto part = nccl_->split(color);
  auto sum = torch::full({3}, nccl_->rank(), torch::dtype(torch::kInt64).device(gpu()));
  part->all_reduce(sum, Reduce::kSum);
  int64_t expected = 0;
  for (int rank = color; rank < nccl_->size(); rank += 2) expected += rank;
  EXPECT_TRUE(sum.cpu().eq(expected).all().item<bool>());
}

TEST_F(NcclMergeTest, TakesEmptyTensorsAndGathersInRankOrder) {
  auto empty = torch::empty({0}, torch::dtype(torch::kFloat32).device(gpu()));
  nccl_->all_reduce(empty, Reduce::kSum);
  nccl_->barrier();
  const auto ranks = nccl_->all_gather(nccl_->rank());
  for (int rank = 0; rank < nccl_->size(); ++rank) EXPECT_EQ(ranks[rank], rank);
}

// A sweep goes on after a run that failed, so its group's memory must come back.
TEST_F(NcclMergeTest, AnExceptionGivesTheMemoryOfItsGroupBack) {
  const auto fail = [&] {
    const auto group = make_nccl_communicator(test_world().host().split(0), gpu());
    auto tensor = values(torch::kInt64).to(gpu());
    group->all_reduce(tensor, Reduce::kSum);
    throw Error("the run fails");
  };
  EXPECT_THROW(fail(), Error);  // what NCCL keeps for all groups is there from now on
  const int64_t before = free_memory(gpu());
  for (int run = 0; run < 20; ++run) EXPECT_THROW(fail(), Error);
  EXPECT_GT(free_memory(gpu()), before - (int64_t{32} << 20));
  auto tensor = torch::ones({4}, torch::dtype(torch::kInt64).device(gpu()));
  nccl_->all_reduce(tensor, Reduce::kSum);
  EXPECT_EQ(tensor[0].item<int64_t>(), nccl_->size());
}

TEST(MpiOnGpuTensors, EqualsMpiOnHostTensors) {
  if (const auto reason = reason_to_skip(true); !reason.empty()) GTEST_SKIP() << reason;
  const auto group = test_world().communicator_for(gpu());  // MPI where ranks share a GPU
  for (auto* communicator : {group.get(), &test_world().host()}) {
    auto on_host = values(torch::kInt64);
    auto on_gpu = on_host.to(gpu());
    test_world().host().all_reduce(on_host, Reduce::kSum);
    communicator->all_reduce(on_gpu, Reduce::kSum);
    EXPECT_TRUE(on_gpu.is_cuda());
    EXPECT_TRUE(on_gpu.cpu().equal(on_host));
  }
}

// Parameter "cuda": NCCL against MPI. Its twin "cpu": MPI against itself, for the lines of the test.
class GradientMergeOnDevice : public ::testing::TestWithParam<const char*> {
 protected:
  void SetUp() override {
    if (GetParam() == std::string("cpu")) {
      group_ = test_world().host().split(0);
      return;
    }
    if (const auto reason = reason_to_skip(false); !reason.empty()) GTEST_SKIP() << reason;
    device_ = gpu();
    group_ = make_nccl_communicator(test_world().host().split(0), device_);
  }

  // Over 24 octaves and of both signs, different for each unit.
  torch::Tensor gradient(int64_t unit) const {
    const auto place = torch::arange(kLength, torch::kInt64);
    const auto mixed = (place * 2654435761 + unit * 40503) % 1000003 - 500000;
    return (mixed.to(torch::kFloat32) * torch::exp2((place % 24 - 30).to(torch::kFloat32))).to(device_);
  }

  torch::Tensor merged(Communicator& group) const {
    constexpr int64_t kUnits = 5;
    auto buffer = torch::empty({kLength}, torch::dtype(torch::kFloat32).device(device_));
    GradientMerge merge(buffer);
    double greatest = 0;
    for (int64_t unit = group.rank(); unit < kUnits; unit += group.size()) {
      merge.next_pack();
      buffer += gradient(unit);
      greatest = std::max(greatest, merge.greatest());
    }
    const auto of_ranks = group.all_gather(greatest);
    merge.merge(group, *std::max_element(of_ranks.begin(), of_ranks.end()), kUnits, kUnits);
    return buffer;
  }

  torch::Device device_ = torch::kCPU;
  std::unique_ptr<Communicator> group_;
};

INSTANTIATE_TEST_SUITE_P(Devices, GradientMergeOnDevice, ::testing::Values("cuda", "cpu"),
                         [](const auto& info) { return std::string(info.param); });

TEST_P(GradientMergeOnDevice, GivesTheBitsOfMpiAndOfOneRankAlone) {
  const auto found = merged(*group_);
  EXPECT_EQ(found.device(), device_);
  EXPECT_TRUE(found.equal(merged(test_world().host())));
  EXPECT_TRUE(found.equal(merged(*make_local_communicator())));
}

}  // namespace
}  // namespace leco
