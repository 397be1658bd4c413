// Checkpoints of our own: our strict reader finds what was written, and the zip is one that others read.
#include "io/torch_checkpoint_write.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "io/torch_checkpoint.h"
#include "io/zip_archive.h"

namespace leco {
namespace {

NamedTensors some_tensors() {
  return {{"a.lora_down.weight", at::arange(12, torch::kFloat32).view({3, 4})},
          {"a.lora_up.weight", at::arange(12, torch::kFloat32).view({3, 4}).t()},  // not in a row
          {"a.alpha", at::scalar_tensor(1.5, torch::kFloat16)},
          {"c", at::full({2, 1, 3, 3}, -0.25).to(torch::kBFloat16)}};
}

class TorchCheckpointBytes : public testing::Test {
 protected:
  ~TorchCheckpointBytes() override { std::filesystem::remove(path_); }
  const std::string path_ = testing::TempDir() + "leco-checkpoint-write-" + std::to_string(getpid()) + ".pt";
};

TEST_F(TorchCheckpointBytes, come_back_with_names_types_and_shapes) {
  std::ofstream(path_, std::ios::binary) << torch_checkpoint_bytes(some_tensors());
  const TorchCheckpoint file(path_);
  EXPECT_TRUE(file.ignored().empty());
  std::map<std::string, TensorInfo> found;
  for (const TensorInfo& info : file.tensors()) found.emplace(info.name, info);
  ASSERT_EQ(found.size(), 4u);
  for (const auto& [name, tensor] : some_tensors()) {
    const torch::Tensor back = file.tensor(found.at(name));
    EXPECT_EQ(back.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_TRUE(torch::equal(back, tensor)) << name;
  }
}

TEST_F(TorchCheckpointBytes, are_the_same_each_time_and_begin_storages_at_64_bytes) {
  const std::string bytes = torch_checkpoint_bytes(some_tensors());
  EXPECT_EQ(bytes, torch_checkpoint_bytes(some_tensors()));
  int storages = 0;
  for (const ZipEntry& entry : zip_entries(bytes, "bytes")) {
    if (entry.name.find("/data/") == std::string::npos) continue;
    EXPECT_EQ(entry.begin % 64, 0u) << entry.name;
    ++storages;
  }
  EXPECT_EQ(storages, 4);
}

// zlib's CRC-32 of "3\n" and "little".
TEST_F(TorchCheckpointBytes, carry_the_checksums_that_zip_defines) {
  const std::string bytes = torch_checkpoint_bytes({});
  const auto checksum_before = [&](const std::string& name) {
    uint32_t stored = 0;
    std::memcpy(&stored, bytes.data() + bytes.find(name) - 16, sizeof(stored));
    return stored;
  };
  EXPECT_EQ(checksum_before("archive/version"), 0x55679ed1u);
  EXPECT_EQ(checksum_before("archive/byteorder"), 0x19e33d85u);
}

}  // namespace
}  // namespace leco
