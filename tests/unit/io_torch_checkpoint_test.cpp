// Tensors of hand-made checkpoints: those that are right, those that lie, and thousands that are damaged.
#include "io/torch_checkpoint.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "core/error.h"
#include "io/file_source.h"
#include "io/safetensors.h"
#include "tests/support/checkpoint_parts.h"

namespace leco {
namespace {

using namespace parts;

class TorchCheckpointFile : public testing::Test {
 protected:
  TorchCheckpointFile()
      : path_(std::filesystem::temp_directory_path() /
              ("leco-checkpoint-" + std::to_string(getpid()) + ".ckpt")) {}
  ~TorchCheckpointFile() override { std::filesystem::remove(path_); }

  const std::string& written(const std::string& bytes) {
    std::filesystem::remove(
        path_);  // a new file each time: to shorten one, some file systems wait for the disk
    std::ofstream(path_, std::ios::binary).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
    return path_;
  }

  // Opens the file and touches every element; the message of the refusal, or empty.
  std::string refusal(const std::string& bytes) {
    try {
      const TorchCheckpoint file(written(bytes));
      for (const TensorInfo& info : file.tensors()) {
        const torch::Tensor tensor = file.tensor(info);
        EXPECT_EQ(tensor.sizes(), at::IntArrayRef(info.shape));
        EXPECT_TRUE(tensor.is_contiguous());
        (void)tensor.clone();
      }
    } catch (const Error& error) {
      EXPECT_EQ(error.status(), ExitStatus::kUsage) << error.what();
      EXPECT_NE(std::string(error.what()).find(path_), std::string::npos) << error.what();
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
      return error.what();
    }
    return {};
  }

  void expect_refusal(const std::string& bytes, const std::string& part) {
    const std::string said = refusal(bytes);
    EXPECT_NE(said.find(part), std::string::npos) << "message: " << said << "\nwanted: " << part;
  }
  void expect_tensor_refusal(const TensorPart& part, const std::string& message) {
    expect_refusal(checkpoint(dict({{"w", tensor(part)}})), message);
  }

  std::string path_;
};

std::string floats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

const std::string kSix = floats({0, 1, 2, 3, 4, 5});

TEST_F(TorchCheckpointFile, gives_tensors_by_their_names_in_the_state_dict) {
  const std::string weights = call(global("collections", "OrderedDict"), {}) +
                              ("(" + text("a.w") + tensor({}) + text("n") + number(3) + "u") +
                              dict({{"_metadata", "N"}}) + "b";
  const TorchCheckpoint file(written(
      checkpoint(dict({{"epoch", number(3)}, {"state_dict", weights}, {"callbacks", dict({})}}), kSix)));
  ASSERT_EQ(file.tensors().size(), 1U);
  EXPECT_EQ(file.tensors()[0].name, "a.w");
  EXPECT_EQ(file.ignored(), (std::vector<std::string>{"callbacks", "epoch", "n"}));
  EXPECT_TRUE(file.tensor(file.tensors()[0]).equal(at::arange(6, torch::kFloat).view({2, 3})));
}

TEST_F(TorchCheckpointFile, joins_the_names_of_inner_dictionaries) {
  const TorchCheckpoint file(
      written(checkpoint(dict({{"unet", dict({{"w", tensor({})}})}, {"v", tensor({})}}), kSix)));
  ASSERT_EQ(file.tensors().size(), 2U);
  EXPECT_EQ(file.tensors()[0].name, "unet.w");
  EXPECT_EQ(file.tensors()[1].name, "v");
}

TEST_F(TorchCheckpointFile, lays_out_views_that_are_not_contiguous) {
  const TorchCheckpoint file(
      written(checkpoint(dict({{"t", tensor({.shape = {3, 2}, .strides = {1, 3}})},
                               {"s", tensor({.shape = {2}, .strides = {2}, .offset = 1})},
                               {"o", tensor({.shape = {1, 2}, .strides = {77, 1}, .offset = 4})},
                               {"e", tensor({.shape = {0, 4}, .strides = {4, 1}, .offset = 6})},
                               {"n", tensor({.shape = {}, .strides = {}, .offset = 5})}}),
                         kSix)));
  std::map<std::string, torch::Tensor> read;
  for (const TensorInfo& info : file.tensors()) read[info.name] = file.tensor(info);
  EXPECT_TRUE(read["t"].equal(at::arange(6, torch::kFloat).view({2, 3}).t()));
  EXPECT_TRUE(read["t"].is_contiguous());
  EXPECT_TRUE(read["s"].equal(at::tensor({1.f, 3.f})));
  EXPECT_TRUE(read["o"].equal(at::tensor({4.f, 5.f}).view({1, 2})));
  EXPECT_EQ(read["e"].sizes(), at::IntArrayRef({0, 4}));
  EXPECT_EQ(read["n"].item<float>(), 5);
}

TEST_F(TorchCheckpointFile, shares_the_memory_of_shared_storages_and_keeps_it_mapped) {
  // The lengths of what stands before the storage decide whether its floats are aligned; if not, it is
  // copied.
  int shared = 0;
  for (const char* name : {"a", "aa", "aaa", "aaaa"}) {
    torch::Tensor whole, end;
    {
      const TorchCheckpoint file(written(checkpoint(
          dict({{name, tensor({})}, {"b", tensor({.shape = {3}, .strides = {1}, .offset = 3})}}), kSix)));
      whole = file.tensor(file.tensors()[0]);
      end = file.tensor(file.tensors()[1]);
    }
    EXPECT_TRUE(end.equal(at::tensor({3.f, 4.f, 5.f})));
    EXPECT_TRUE(whole[1].equal(end));
    if (end.const_data_ptr() == whole[1].const_data_ptr()) ++shared;
  }
  EXPECT_EQ(shared, 1);
}

TEST_F(TorchCheckpointFile, refuses_tensors_outside_of_their_storage) {
  constexpr int64_t kHuge = INT64_MAX;
  const std::string outside = "tensor 'w': it reaches outside of its storage of 6 elements";
  expect_tensor_refusal({.shape = {2, 4}, .strides = {4, 1}}, outside);
  expect_tensor_refusal({.offset = 1}, outside);
  expect_tensor_refusal({.shape = {}, .strides = {}, .offset = 6}, outside);
  expect_tensor_refusal({.shape = {0}, .strides = {1}, .offset = 7}, outside);
  expect_tensor_refusal({.offset = kHuge}, outside);
  expect_tensor_refusal({.strides = {kHuge, 1}}, outside);
  expect_tensor_refusal({.strides = {kHuge - 1, 1}, .offset = 3}, outside);
  expect_tensor_refusal({.shape = {3, 3}, .strides = {kHuge / 2 + 1, kHuge / 2 + 1}}, outside);
  expect_tensor_refusal({.shape = {kHuge, kHuge}, .strides = {0, 0}}, outside);
  expect_tensor_refusal({.shape = {kHuge, 2}, .strides = {1, 1}}, outside);
  expect_tensor_refusal({.shape = {1LL << 40}, .strides = {0}}, "an expanded tensor");
  expect_tensor_refusal({.shape = {7, 1}, .strides = {0, 1}}, "an expanded tensor");
}

TEST_F(TorchCheckpointFile, refuses_negative_and_mistyped_sizes) {
  expect_tensor_refusal({.shape = {-2, 3}}, "no number from 0");
  expect_tensor_refusal({.shape = {-2, -3}}, "no number from 0");
  expect_tensor_refusal({.strides = {-3, 1}}, "no number from 0");
  expect_tensor_refusal({.offset = -1}, "no number from 0");
  expect_tensor_refusal({.elements = -6}, "no number from 0");
  expect_tensor_refusal({.shape = {6}}, "as many strides as sizes");
  expect_tensor_refusal({.shape = std::vector<int64_t>(65, 1), .strides = std::vector<int64_t>(65, 1)},
                        "at most 64");
  const std::string rebuild = global("torch._utils", "_rebuild_tensor_v2");
  const auto of = [&](const std::vector<std::string>& arguments) {
    return checkpoint(dict({{"w", call(rebuild, arguments)}}));
  };
  expect_refusal(of({}), "incomplete description");
  expect_refusal(of({"N", number(0), numbers({6}), numbers({1}), "\x89"}), "its storage is none");
  expect_refusal(of({storage({}), "\x88", numbers({6}), numbers({1}), "\x89"}), "no number from 0");
  expect_refusal(of({storage({}), number(0), number(6), numbers({1}), "\x89"}), "no tuple");
  expect_refusal(of({storage({}), number(0), tuple({text("6")}), numbers({1}), "\x89"}), "no number from 0");
  expect_refusal(
      of({storage({}), number(0), numbers({6}), numbers({1}), "\x89", "N", dict({{"conj", "\x88"}})}),
      "marked view");
}

TEST_F(TorchCheckpointFile, refuses_storages_that_are_not_what_they_say) {
  expect_tensor_refusal({.elements = 7}, "7 elements of 4 bytes, and 'archive/data/0' has 24 bytes");
  expect_tensor_refusal({.elements = 5}, "5 elements of 4 bytes");
  expect_tensor_refusal({.elements = 1LL << 62}, "4611686018427387904 elements of 4 bytes");
  expect_tensor_refusal({.type = "HalfStorage"}, "6 elements of 2 bytes");
  expect_tensor_refusal({.key = "1"}, "not in the file");
  expect_tensor_refusal({.key = "../version"}, "not in the file");
  expect_tensor_refusal({.type = "float32"}, "unknown type");
  expect_tensor_refusal({.type = "QInt8Storage"}, "'torch.QInt8Storage'");
  expect_refusal(checkpoint(dict({{"a", tensor({})},
                                  {"b", tensor({.shape = {6}, .strides = {1}, .type = "IntStorage"})}})),
                 "described with two types");
  expect_refusal(
      checkpoint(dict({{"w", call(global("torch._utils", "_rebuild_tensor_v2"),
                                  {text("0") + "Q", number(0), numbers({6}), numbers({1}), "\x89"})}})),
      "described in an unknown way");
}

TEST_F(TorchCheckpointFile, refuses_names_that_come_twice_and_files_without_weights) {
  expect_refusal(checkpoint(dict({{"w", tensor({})}, {"w", tensor({})}})), "'w' comes twice");
  expect_refusal(checkpoint(dict({{"a.b", tensor({})}, {"a", dict({{"b", tensor({})}})}})),
                 "'a.b' comes twice");
  expect_refusal(checkpoint(dict({{"epoch", number(3)}})), "holds no tensors");
  expect_refusal(checkpoint(tensor({})), "no dictionary of tensors");
  expect_refusal(checkpoint(dict({{"a\nb", tensor({})}})), "is no name");
  for (const char* name : {"\xff", "a\xc3", "\xc0\xaf", "\xed\xa0\x80", "\xf5\x80\x80\x80", "\xe1("}) {
    expect_refusal(checkpoint(dict({{name, tensor({})}})), "is no name");
  }
  EXPECT_EQ(refusal(checkpoint(dict({{"\xc3\xa4\xe6\x97\xa5\xf0\x9f\x99\x82", tensor({})}}))), "");
  expect_refusal(checkpoint(dict({{"w", call(global("torch._utils", "_rebuild_parameter"), {})}})),
                 "not known");
}

TEST_F(TorchCheckpointFile, does_not_unfold_dictionaries_that_are_shared) {
  std::string inner = tensor({});
  for (int level = 0; level < 7; ++level) {
    std::vector<std::pair<std::string, std::string>> entries = {{"k0", inner + "q\x63"}};
    for (int i = 1; i < 20; ++i) entries.emplace_back("k" + std::to_string(i), "h\x63");
    inner = dict(entries);
  }
  expect_refusal(checkpoint(inner), "more than 100000 tensors or 1000000 entries");
  std::string deep = tensor({});
  for (int level = 0; level < 12; ++level) deep = dict({{"k", deep}});
  expect_refusal(checkpoint(deep), "dictionaries 8 deep");
  expect_refusal(checkpoint("}q\x01(" + text("k") + "h\x01u"), "dictionaries 8 deep");  // holds itself
}

TEST_F(TorchCheckpointFile, does_not_write_out_long_names_of_dictionaries_that_are_shared) {
  const std::string longest(1'000, 'k');
  std::string inner = "N";  // no tensors, whose number has a bound of its own
  for (int level = 0; level < 8; ++level) {
    std::vector<std::pair<std::string, std::string>> entries = {{longest + "0", inner + "q\x63"}};
    for (int i = 1; i < 5; ++i) entries.emplace_back(longest + std::to_string(i), "h\x63");
    inner = dict(entries);
  }
  expect_refusal(checkpoint(inner), "names of more than 67108864 bytes");
}

TEST_F(TorchCheckpointFile, refuses_archives_of_another_kind) {
  const std::string pickle = kProtocol + dict({{"w", tensor({})}}) + ".";
  expect_refusal(zip_of({{"a/b", "x"}}), "without the '<name>/data.pkl'");
  expect_refusal(zip_of({{"data.pkl", pickle}}), "without the '<name>/data.pkl'");
  expect_refusal(zip_of({{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}), "more than one data.pkl");
  expect_refusal(zip_of({{"a/data.pkl", pickle}, {"b/data/0", kSix}}), "lies outside of 'a/'");
  expect_refusal(zip_of({{"a/data.pkl", pickle}, {"a/constants.pkl", "x"}}), "TorchScript");
  expect_refusal(zip_of({{"a/data.pkl", pickle}, {"a/data/0", kSix}, {"a/byteorder", "big"}}), "big-endian");
  expect_refusal(zip_of({{.name = "a/data.pkl", .contents = pickle, .method = 8}}), "compressed");
  expect_refusal(kProtocol +
                     "\x8a\x0al\xfc\x9c"
                     "F\xf9 j\xa8P\x19.",
                 "torch wrote before 1.6");
  expect_refusal(std::string(257, 'x') + "ustar" + std::string(250, '\0'), "torch wrote before 1.6");
}

TEST_F(TorchCheckpointFile, is_chosen_by_its_contents_whatever_the_name) {
  LocalFileSource files;
  StateDict weights = files.open_weights(written(checkpoint(dict({{"w", tensor({})}}), kSix)));
  EXPECT_TRUE(weights.take("w", {2, 3}).equal(at::arange(6, torch::kFloat).view({2, 3})));
  StateDict outline = files.open_outline(path_);
  EXPECT_TRUE(outline.take("w", {2, 3}).is_meta());

  // A safetensors file whose header's length begins as a pickle does (0x0280).
  const std::string text = R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})";
  written("\x80\x02" + std::string(6, '\0') + text + std::string(0x280 - text.size(), ' ') + kSix);
  EXPECT_TRUE(files.open_weights(path_).contains("w"));
  EXPECT_TRUE(files.open_outline(path_).contains("w"));

  written(kProtocol + "N.");
  EXPECT_THROW(files.open_weights(path_), Error);
  EXPECT_THROW(files.open_outline(path_), Error);
  written("<!doctype html>");
  EXPECT_THROW(files.open_weights(path_), Error);
}

// Cuts, inserts, repeats or changes some bytes.
std::string damaged(std::string bytes, std::mt19937& draw) {
  const auto below = [&](size_t end) { return std::uniform_int_distribution<size_t>(0, end - 1)(draw); };
  const std::string opcodes =
      "\x80\x02}]()(tRQbueasqhrjcNJKMXUTG01.\x85\x86\x87\x88\x89\x8a\x8c\x93\x94\x95\x81\xff";
  const size_t changes = 1 + below(4);
  for (size_t i = 0; i < changes && !bytes.empty(); ++i) {
    const size_t place = below(bytes.size());
    switch (below(6)) {
      case 0:
        bytes[place] = static_cast<char>(below(256));
        break;
      case 1:
        bytes[place] = opcodes[below(opcodes.size())];
        break;
      case 2:
        bytes[place] = static_cast<char>(bytes[place] ^ (1 << below(8)));
        break;
      case 3:
        bytes.erase(place, 1 + below(8));
        break;
      case 4:
        bytes.insert(place, bytes.substr(below(bytes.size()), below(40)));
        break;
      default:
        bytes.insert(place, 1, opcodes[below(opcodes.size())]);
        break;
    }
  }
  return bytes;
}

TEST_F(TorchCheckpointFile, is_read_or_refused_however_it_is_damaged) {
  const std::string value =
      dict({{"epoch", number(3)},
            {"state_dict", dict({{"a", tensor({})},
                                 {"b", call(global("torch._utils", "_rebuild_parameter"),
                                            {tensor({.shape = {3, 2}, .strides = {1, 3}}), "\x88", "N"})},
                                 {"c", tensor({.shape = {2}, .strides = {1}, .offset = 4})}})},
            {"callbacks", call(global("pytorch_lightning.callbacks", "ModelCheckpoint"), {}) + "}b"}});
  std::mt19937 draw(5);
  int read = 0;
  for (int round = 0; round < 10'000; ++round) {
    SCOPED_TRACE(round);
    const std::string bytes = round % 2 == 0
                                  ? damaged(checkpoint(value, kSix), draw)
                                  : zip_of({{"archive/data.pkl", damaged(kProtocol + value + ".", draw)},
                                            {"archive/data/0", kSix}});
    if (refusal(bytes).empty()) ++read;
  }
  EXPECT_GT(read, 100);  // a storage's bytes may be any
  EXPECT_LT(read, 5'000);
}

}  // namespace
}  // namespace leco
