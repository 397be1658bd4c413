#include "io/component_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "io/safetensors.h"
#include "tests/support/refusal.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

class ComponentFiles : public ::testing::Test {
 protected:
  ComponentFiles() : folder_(fs::temp_directory_path() / ("leco-component-" + std::to_string(getpid()))) {
    fs::create_directories(folder_);
  }
  ~ComponentFiles() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  void write(const std::string& name, const std::string& text = "") { std::ofstream(path(name)) << text; }
  std::vector<std::string> find(const std::string& stem) {
    return find_component(files_, folder_.string(), stem);
  }

  fs::path folder_;
  LocalFileSource files_;
};

TEST_F(ComponentFiles, TakesTheBestOfWhatIsThere) {
  using Paths = std::vector<std::string>;
  write("pytorch_model.fp16.bin");
  EXPECT_EQ(find("model"), Paths{path("pytorch_model.fp16.bin")});
  write("pytorch_model.bin");
  EXPECT_EQ(find("model"), Paths{path("pytorch_model.bin")});
  write("model.fp16.safetensors");
  EXPECT_EQ(find("model"), Paths{path("model.fp16.safetensors")});
  write("model.safetensors.index.json", R"({"weight_map": {"a": "2.safetensors", "b": "1.safetensors"}})");
  EXPECT_EQ(find("model"), (Paths{path("1.safetensors"), path("2.safetensors")}));
  write("model.safetensors");
  EXPECT_EQ(find("model"), Paths{path("model.safetensors")});
}

TEST_F(ComponentFiles, ReadsShardsAsOne) {
  write_safetensors(path("1.safetensors"), {{"a", at::ones({2})}}, {});
  write_safetensors(path("2.safetensors"), {{"b", at::zeros({3})}}, {});
  write("unet.safetensors.index.json", R"({"weight_map": {"a": "1.safetensors", "b": "2.safetensors"}})");
  for (const Contents contents : {Contents::kWeights, Contents::kOutline}) {
    StateDict weights = open_component(files_, find("unet"), contents);
    EXPECT_EQ(weights.left(), (std::vector<std::string>{"a", "b"}));
    EXPECT_EQ(weights.take("b", {3}).is_meta(), contents == Contents::kOutline);
  }
}

TEST_F(ComponentFiles, SaysWhatWasLookedFor) {
  const auto refusal = [this](const std::string& file) {
    return testing::refusal_of(file, [this] { find("model"); });
  };
  const std::string missing = refusal("model.safetensors");
  for (const char* looked_for : {"index.json", "model.fp16", "model.bf16", "pytorch_model.bin"})
    EXPECT_NE(missing.find(looked_for), std::string::npos) << missing;
  for (const auto& [index, said] :
       {std::pair(R"({"weight_map": {"a": "../../secret"}})", "tensor 'a' stands in \"../../secret\""),
        std::pair("[]", "is not a JSON object"), std::pair("{}", "no object 'weight_map'"),
        std::pair(R"({"weight_map": {}})", "names no file")}) {
    write("model.safetensors.index.json", index);
    EXPECT_NE(refusal("index.json").find(said), std::string::npos) << index;
  }
}

}  // namespace
}  // namespace leco
