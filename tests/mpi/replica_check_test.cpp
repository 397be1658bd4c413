// A rank whose LoRA differs is found and named on every rank; the fault is made here.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/error.h"
#include "tests/support/mpi_main.h"
#include "train/replica_check.h"

namespace leco {
namespace {

using leco::testing::test_world;
using torch::Tensor;

constexpr int64_t kWeights = (int64_t{1} << 20) + 5;  // more than one piece

Tensor weights() {
  return at::arange(kWeights, torch::kFloat32) / 3;
}

std::string error_of(const Tensor& mine) {
  try {
    check_replicas(test_world().host(), mine, 100);
  } catch (const CollectiveError& error) {
    return error.what();
  }
  return "";
}

TEST(ReplicaCheck, passes_where_all_ranks_hold_the_same) {
  EXPECT_EQ(error_of(weights()), "");
}

TEST(ReplicaCheck, names_the_rank_whose_weight_lost_a_bit) {
  const int ranks = test_world().size();
  for (const int64_t place : {int64_t{0}, kWeights - 1}) {
    Tensor mine = weights();
    if (test_world().rank() == ranks - 1) mine.view(torch::kInt32)[place].bitwise_xor_(1);
    const std::string error = error_of(mine);
    const std::string expected = ranks == 1   ? ""
                                 : ranks == 2 ? "ranks 0, 1"
                                              : fmt::format("the LoRA of rank {} is not", ranks - 1);
    EXPECT_NE(error.find(expected), std::string::npos) << error;
    EXPECT_EQ(error.empty(), ranks == 1) << error;
  }
}

TEST(ReplicaChecksum, sees_exchanged_weights_and_signs_of_zero) {
  Tensor exchanged = weights();
  exchanged[1].copy_(weights()[2]);
  exchanged[2].copy_(weights()[1]);
  EXPECT_NE(replica_checksum(exchanged), replica_checksum(weights()));
  EXPECT_NE(replica_checksum(at::full({3}, -0.0)), replica_checksum(at::zeros({3})));
}

}  // namespace
}  // namespace leco
