// Models in a made-up cache, laid out as huggingface_hub does.
#include "io/hub_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <map>

#include "core/error.h"

namespace leco {
namespace {

namespace fs = std::filesystem;

const std::string kFirst(40, 'a');
const std::string kSecond(40, 'b');

Environment of(std::map<std::string, std::string> values) {
  return [values = std::move(values)](const std::string& name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(HubCacheFolder, follows_the_variables_in_huggingface_hubs_order) {
  std::map<std::string, std::string> values = {{"HOME", "/home/ann"}};
  EXPECT_EQ(hub_cache_folder(of(values)), "/home/ann/.cache/huggingface/hub");
  values["XDG_CACHE_HOME"] = "/caches";
  EXPECT_EQ(hub_cache_folder(of(values)), "/caches/huggingface/hub");
  values["HF_HOME"] = "/hf";
  EXPECT_EQ(hub_cache_folder(of(values)), "/hf/hub");
  values["HUGGINGFACE_HUB_CACHE"] = "/old";
  EXPECT_EQ(hub_cache_folder(of(values)), "/old");
  values["HF_HUB_CACHE"] = "/hub";
  EXPECT_EQ(hub_cache_folder(of(values)), "/hub");
}

TEST(HubCacheFolder, replaces_the_home_folder_and_variables) {
  const auto folder = [](const std::string& value) {
    return hub_cache_folder(of({{"HOME", "/home/ann"}, {"USER", "ann"}, {"HF_HUB_CACHE", value}}));
  };
  EXPECT_EQ(folder("~/hub"), "/home/ann/hub");
  EXPECT_EQ(folder("/scratch/$USER/hub"), "/scratch/ann/hub");
  EXPECT_EQ(folder("/scratch/${USER}x"), "/scratch/annx");
  EXPECT_EQ(folder("/scratch/$NONE/${NONE}/$/${USER"), "/scratch/$NONE/${NONE}/$/${USER");
}

TEST(HubId, is_told_from_paths) {
  for (const char* id :
       {"gpt2", "runwayml/stable-diffusion-v1-5", "a_b/c.d", "stabilityai/stable-diffusion-2-1"}) {
    EXPECT_TRUE(may_be_hub_id(id)) << id;
  }
  for (const char* path : {"", "/models/sd", "models/sd/unet", "./sd", "../sd", "sd/", "~/sd", "a b",
                           "a--b/c", "a..b", "-a/b", "a/.b", "a\nb", "a:b"}) {
    EXPECT_FALSE(may_be_hub_id(path)) << path;
  }
  EXPECT_FALSE(may_be_hub_id(std::string(97, 'a')));
}

class HubCache : public testing::Test {
 protected:
  HubCache() : root_(fs::temp_directory_path() / ("leco-hub-" + std::to_string(getpid()))) {
    add(kFirst);
    add(kSecond);
  }
  ~HubCache() override { fs::remove_all(root_); }

  void add(const std::string& commit) const {
    fs::create_directories(model_ / "snapshots" / commit);
    fs::create_directories(model_ / "blobs");
    std::ofstream(model_ / "blobs" / ("blob-" + commit)) << "{}";
    fs::create_symlink("../../blobs/blob-" + commit, model_ / "snapshots" / commit / "model_index.json");
  }
  void point(const std::string& revision, const std::string& contents) const {
    const fs::path file = model_ / "refs" / revision;
    fs::create_directories(file.parent_path());
    std::ofstream(file) << contents;
  }
  std::optional<std::string> find(const std::string& revision = "main") {
    return find_in_hub_cache(files_, "org/name", environment_, revision);
  }
  std::string snapshot(const std::string& commit) const { return model_ / "snapshots" / commit; }

  fs::path root_;
  fs::path model_ = root_ / "hub" / "models--org--name";
  Environment environment_ = of({{"HF_HOME", root_}});
  LocalFileSource files_;
};

TEST_F(HubCache, gives_the_snapshot_that_main_refers_to) {
  point("main", kSecond);
  point("fp16", kFirst);
  EXPECT_EQ(find(), snapshot(kSecond));
  EXPECT_TRUE(files_.exists(*find() + "/model_index.json"));
  EXPECT_EQ(find("fp16"), snapshot(kFirst));
  EXPECT_EQ(find(kFirst), snapshot(kFirst));
  point("main", kFirst + "\n");
  EXPECT_EQ(find(), snapshot(kFirst));
}

TEST_F(HubCache, has_no_answer_where_the_revision_is_not_there) {
  EXPECT_EQ(find(), std::nullopt);
  point("main", std::string(40, 'c'));
  EXPECT_EQ(find(), std::nullopt);
  point("main", "../../../../etc");
  EXPECT_EQ(find(), std::nullopt);
  point("main", "");
  EXPECT_EQ(find(), std::nullopt);
  EXPECT_EQ(find(std::string(40, 'c')), std::nullopt);
  EXPECT_EQ(find_in_hub_cache(files_, "org/other", environment_), std::nullopt);
  EXPECT_EQ(find_in_hub_cache(files_, "org/name", of({{"HF_HOME", root_ / "none"}})), std::nullopt);
  EXPECT_THROW(find("../main"), Error);
}

TEST_F(HubCache, says_where_it_looked_what_is_there_and_how_to_fetch_the_model) {
  point("fp16", kFirst);
  point("refs/pr/1", kFirst);
  const std::string said = missing_from_hub_cache("org/name", environment_);
  for (const std::string& part : {model_.string(), std::string("'hf download org/name'"),
                                  std::string("'huggingface-cli download org/name'"),
                                  "revision 'fp16, refs/pr/1' is there: '" + snapshot(kFirst) + "'",
                                  "revision '" + kSecond + "' is there", std::string("HF_HUB_CACHE")}) {
    EXPECT_NE(said.find(part), std::string::npos) << said << "\nwanted: " << part;
  }
  EXPECT_EQ(said.find('\n'), std::string::npos);
  EXPECT_NE(
      missing_from_hub_cache("org/other", environment_, "fp16").find("hf download org/other --revision fp16"),
      std::string::npos);
}

}  // namespace
}  // namespace leco
