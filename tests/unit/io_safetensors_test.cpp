// The reader against the good and bad vectors of the reference implementation (safetensors/src/tensor.rs, its
// tests), written out again here, and against what those leave open.
#include "io/safetensors.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <random>

#include "core/error.h"
#include "io/file_source.h"

namespace leco {
namespace {

// Length bytes, JSON text, `zeros` bytes of data.
std::string file_of(const std::string& json, size_t zeros = 0) {
  std::string bytes(8, '\0');
  for (int i = 0; i < 8; ++i) bytes[i] = static_cast<char>(uint64_t{json.size()} >> 8 * i & 0xff);
  return bytes + json + std::string(zeros, '\0');
}

std::string entry(const std::string& name, const std::string& dtype, const std::string& shape,
                  const std::string& offsets) {
  return '"' + name + R"(":{"dtype":")" + dtype + R"(","shape":[)" + shape + R"(],"data_offsets":[)" +
         offsets + "]}";
}

std::string one_tensor(const std::string& dtype, const std::string& shape, const std::string& offsets,
                       size_t zeros) {
  return file_of("{" + entry("test", dtype, shape, offsets) + "}", zeros);
}

SafetensorsHeader parse(const std::string& bytes) {
  return parse_safetensors_header(bytes, bytes.size(), "m.safetensors");
}

// The message of the refusal; empty when the bytes are accepted.
std::string refusal(const std::string& bytes) {
  try {
    parse(bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_NE(std::string(error.what()).find("m.safetensors"), std::string::npos) << error.what();
    EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << error.what();
    return error.what();
  }
  return {};
}

void expect_refusal(const std::string& bytes, const std::string& part) {
  EXPECT_NE(refusal(bytes).find(part), std::string::npos)
      << "message: " << refusal(bytes) << "\nwanted: " << part;
}

std::string contents(const torch::Tensor& tensor) {
  return {static_cast<const char*>(tensor.const_data_ptr()), tensor.nbytes()};
}

class SafetensorsFiles : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::path(testing::TempDir()) / ("leco-io-" + std::to_string(getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::string stored(const std::string& bytes) const {
    const std::string path = (folder_ / "m.safetensors").string();
    std::ofstream(path, std::ios::binary) << bytes;
    return path;
  }
  std::filesystem::path folder_;
};

TEST(SafetensorsHeader, TakesTheReferencesGoodVectors) {
  const SafetensorsHeader square = parse(one_tensor("I32", "2,2", "0,16", 16));
  ASSERT_EQ(square.tensors.size(), 1u);
  EXPECT_EQ(square.tensors[0].name, "test");
  EXPECT_EQ(square.tensors[0].dtype, torch::kInt32);
  EXPECT_EQ(square.tensors[0].shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(square.data_begin, 8 + 60u);
  EXPECT_TRUE(parse(one_tensor("I32", "", "0,4", 4)).tensors[0].shape.empty());  // a scalar
  EXPECT_EQ(parse(one_tensor("I32", "2,0", "0, 0", 0)).tensors[0].shape, (std::vector<int64_t>{2, 0}));
  EXPECT_TRUE(parse(file_of("{}\r \t\n")).tensors.empty());
  EXPECT_EQ(parse(file_of(R"({"__metadata__":{"framework":"pt"}}     )")).metadata,
            (Metadata{{"framework", "pt"}}));
}

TEST(SafetensorsHeader, RefusesTheReferencesBadVectors) {
  std::string attack;  // ten names for the same bytes
  for (int i = 0; i < 10; ++i)
    attack += (i ? "," : "") + entry("weight_" + std::to_string(i), "F32", "2,2", "0,16");
  expect_refusal(
      file_of("{" + attack + "}", 16),
      "tensor 'weight_1': its data begins at 0, but the tensor before it ends at 16 (they overlap)");
  const std::string good = one_tensor("I32", "2,2", "0,16", 16);
  expect_refusal(good + "extra_bogus_data_for_polyglot_file", "34 bytes follow after the last tensor");
  expect_refusal(good.substr(0, good.size() - 2), "is incomplete: 14 of 16 bytes of tensor data are there");
  expect_refusal(std::string("<\0\0\0\0\xff\xff\xff", 8) + good.substr(8), "at most 100000000 are allowed");
  expect_refusal("", "is empty");
  expect_refusal(std::string("<\0\0\0\0\0\0\0", 8),
                 "is incomplete: its header needs 68 bytes, the file has 8");
  expect_refusal(file_of("\xff"), "does not begin with '{'");
  expect_refusal(file_of("{\"\xff\":1}"), "not valid UTF-8 at byte 3");
  expect_refusal(file_of("{"), "not valid JSON at byte 2");
  expect_refusal(one_tensor("I32", "2,2", "0, 4", 0),
                 "shape and type need 16 bytes, but data_offsets give it 4");
  expect_refusal(one_tensor("I32", "2,18446744073709551614", "0,16", 16), "shape is too large");
  expect_refusal(one_tensor("I32", "2,9223372036854775807", "0,16", 16), "shape is too large");
}

TEST(SafetensorsHeader, RefusesKeysThatComeTwice) {
  const std::string a = entry("a", "U8", "1", "0,1");
  expect_refusal(file_of("{" + a + "," + a + "}", 1), "tensor 'a': the name comes twice");
  expect_refusal(file_of("{" + a + "," + entry("\\u0061", "U8", "1", "0,1") + "}", 1),
                 "tensor 'a': the name comes twice");
  expect_refusal(file_of(R"({"__metadata__":{},"__metadata__":{}})"),
                 "entry '__metadata__': the name comes twice");
  expect_refusal(file_of(R"({"__metadata__":{"k":"1","k":"2"}})"), "key 'k' comes twice");
  expect_refusal(file_of(R"({"a":{"dtype":"U8","dtype":"U8"}})"), "key 'dtype' comes twice");
  expect_refusal(file_of(R"({"a":{"shape":[1],"shape":[1]}})"), "key 'shape' comes twice");
  expect_refusal(file_of(R"({"a":{"data_offsets":[0,1],"data_offsets":[0,1]}})"),
                 "key 'data_offsets' comes twice");
}

TEST(SafetensorsHeader, RefusesWhatIsNoDescriptionOfATensor) {
  expect_refusal(file_of("[]"), "does not begin with '{'");
  expect_refusal(file_of(" {}"), "does not begin with '{'");
  expect_refusal(file_of("{}{}"), "not valid JSON at byte 3");
  expect_refusal(file_of(std::string("{}\0{}", 5)), "not valid JSON at byte 3");
  expect_refusal(file_of(R"({"a":1})"), "tensor 'a': a number where its description is expected");
  expect_refusal(file_of(R"({"a":null})"), "tensor 'a': null where");
  expect_refusal(file_of(R"({"a":["U8",[0],[0,0]]})"), "tensor 'a': a list where");
  expect_refusal(file_of(R"({"a":{}})"), "tensor 'a': dtype is missing");
  expect_refusal(file_of(R"({"a":{"dtype":"U8"}})"), "shape is missing");
  expect_refusal(file_of(R"({"a":{"dtype":"U8","shape":[]}})"), "data_offsets must be two numbers");
  expect_refusal(one_tensor("U8", "1", "0", 1), "data_offsets must be two numbers");
  expect_refusal(one_tensor("U8", "1", "0,1,1", 1), "data_offsets must be two numbers");
  expect_refusal(file_of(R"({"a":{"offsets":[0,1]}})"), "unknown key 'offsets'");
  expect_refusal(file_of(R"({"a":{"dtype":{"U8":null}}})"),
                 "an object where the value of 'dtype' is expected");
  expect_refusal(file_of(R"({"a":{"shape":"1"}})"), "a text where the value of 'shape' is expected");
  expect_refusal(file_of(R"({"a":{"shape":[true]}})"),
                 "true or false where the value of 'shape' is expected");
  expect_refusal(file_of(R"({"__metadata__":{"steps":5}})"),
                 "entry '__metadata__': a number where the value of 'steps'");
  expect_refusal(file_of(R"({"__metadata__":[]})"), "a list where its description is expected");
}

TEST(SafetensorsHeader, RefusesNumbersThatAreNoSizes) {
  for (const std::string size : {"-1", "-0", "1.0", "1e0", "18446744073709551616"}) {
    expect_refusal(one_tensor("U8", size, "0,1", 1), "number");
    expect_refusal(one_tensor("U8", "1", "0," + size, 1), "number");
  }
  expect_refusal(one_tensor("U8", "0,9223372036854775808", "0,0", 0), "shape is too large");
  expect_refusal(one_tensor("U8", "4294967296,4294967296,0", "0,0", 0), "shape is too large");
  std::string many = "1";
  for (int i = 0; i < 64; ++i) many += ",1";
  expect_refusal(one_tensor("U8", many, "0,1", 1), "more than 64 numbers");
}

TEST(SafetensorsHeader, RefusesHolesOverlapsAndBackwardRanges) {
  const auto two = [](const std::string& first, const std::string& second, size_t bytes) {
    return file_of("{" + entry("a", "U8", "4", first) + "," + entry("b", "U8", "4", second) + "}", bytes);
  };
  EXPECT_EQ(refusal(two("4,8", "0,4", 8)), "");  // the header's order is free
  expect_refusal(two("0,4", "5,9", 9),
                 "tensor 'b': its data begins at 5, but the tensor before it ends at 4 (a hole)");
  expect_refusal(two("0,4", "3,7", 7), "(they overlap)");
  expect_refusal(two("1,5", "5,9", 9), "tensor 'a': its data begins at 1");
  expect_refusal(two("4,0", "0,4", 8), "tensor 'a': it ends at 0, before it begins at 4");
  expect_refusal(two("0,4", "4,18446744073709551615", 8), "data_offsets give it 18446744073709551611");
  // Empty tensors may share a place.
  EXPECT_EQ(refusal(file_of("{" + entry("a", "U8", "0", "0,0") + "," + entry("b", "U8", "0", "0,0") + "," +
                                entry("c", "U8", "1", "0,1") + "," + entry("d", "F32", "0,3", "1,1") + "}",
                            1)),
            "");
}

TEST(SafetensorsHeader, NamesTypesItCannotHold) {
  expect_refusal(one_tensor("F4", "2", "0,1", 1),
                 "tensor 'test': type 'F4' is not supported; known are BOOL, U8,");
  expect_refusal(one_tensor("f32", "1", "0,4", 4), "type 'f32' is not supported");
}

TEST(SafetensorsHeader, SurvivesBombs) {
  const size_t many = 2'000'000;
  expect_refusal(file_of("{\"a\":" + std::string(many, '[')), "a list where");
  expect_refusal(file_of("{\"a\":{\"shape\":" + std::string(many, '[')), "a list where");
  std::string objects = "{\"a\":{";
  for (size_t i = 0; i < many / 8; ++i) objects += "\"dtype\":{";
  expect_refusal(file_of(objects), "an object where");
  expect_refusal(file_of("{\"" + std::string(many, 'x')), "not valid JSON");
  EXPECT_LT(refusal(file_of("{\"" + std::string(many, 'x') + "\":1}")).size(), 400u);
  EXPECT_LT(refusal(file_of("{\"" + std::string(many, 'x'))).size(), 400u);
  std::string crowd = "{";
  for (int i = 0; i < 100'002; ++i)
    crowd += (i ? ",\"" : "\"") + std::to_string(i) + R"(":{"dtype":"U8","shape":[0],"data_offsets":[0,0]})";
  expect_refusal(file_of(crowd + "}"), "more than 100000 tensors");
}

TEST(SafetensorsHeader, RecognisesOtherFilesUnderItsName) {
  expect_refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 5\n", "git lfs pull");
  expect_refusal("\n<!DOCTYPE html><html></html>", "a web page");
  expect_refusal("<HTML><head>", "a web page");
  expect_refusal("<?xml version=\"1.0\"?><Error/>", "a web page");
  expect_refusal("target = \"a cat\"\n", "no safetensors file but a text");
  expect_refusal(std::string("PK\x03\x04\0\0\x08\x08", 8) + std::string(50, '\0'), "a PyTorch checkpoint");
  expect_refusal(
      "\x80\x02\x8a\nl\xfc\x9c"
      "F\xf9 j\xa8P\x19.",
      "a PyTorch checkpoint");
  expect_refusal("{\"error\": \"not found\"}", "a JSON text");
  expect_refusal("{}", "a JSON text");
  expect_refusal(std::string("GGUF\x03\0\0\0\x10\0\0\0", 12), "GGUF");
  expect_refusal("\x1f\x8b\x08\x08 gzip", "gzip");
  expect_refusal(std::string(100, '\0'), "begins with zeros");
  expect_refusal("abc", "is incomplete");
}

TEST_F(SafetensorsFiles, NameWhatCannotBeOpened) {
  const auto message = [](const std::string& path) {
    try {
      SafetensorsFile file(path);
    } catch (const Error& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_EQ(message(folder_ / "none"),
            "cannot read '" + (folder_ / "none").string() + "': No such file or directory");
  EXPECT_EQ(message(folder_), "'" + folder_.string() + "' is a folder, a safetensors file is expected");
  EXPECT_EQ(message("/dev/null"), "'/dev/null' is not a regular file");
  EXPECT_NE(message(stored("")).find("is empty"), std::string::npos);
}

TEST_F(SafetensorsFiles, GiveTensorsThatOutliveThem) {
  const std::string path = stored(file_of("{" + entry("a", "F32", "2", "0,8") + "}   ") +
                                  std::string("\0\0\x80\x3f\0\0\0\xc0", 8));
  torch::Tensor tensor;
  {
    LocalFileSource files;
    EXPECT_TRUE(files.exists(path));
    EXPECT_FALSE(files.exists(path + ".not"));
    EXPECT_FALSE(files.exists(path + "/below"));
    StateDict weights = files.open_safetensors(path);
    tensor = weights.take("a", {2});
  }
  std::filesystem::remove(path);
  EXPECT_EQ(tensor[0].item<float>(), 1.0f);
  EXPECT_EQ(tensor[1].item<float>(), -2.0f);
}

// Their pages are given back to the system, also those that a neighbour lies on.
TEST_F(SafetensorsFiles, StayReadableAfterViewsAreGone) {
  const std::string path =
      stored(safetensors_bytes({{"a", at::full({5000}, 1.0)}, {"b", at::full({5000}, 2.0)}}, {}));
  const SafetensorsFile file(path);
  const torch::Tensor kept = file.tensor(file.header().tensors[0]);
  for (int again = 0; again < 2; ++again)
    EXPECT_EQ(file.tensor(file.header().tensors[1]).sum().item<float>(), 10000);
  EXPECT_EQ(kept.sum().item<float>(), 5000);
}

TEST_F(SafetensorsFiles, GiveUnalignedTensorsAsCopies) {
  std::string bytes = file_of("{" + entry("a", "U8", "1", "0,1") + "," + entry("b", "F64", "", "1,9") + "," +
                              entry("c", "BOOL", "3", "9,12") + "}");
  bytes += std::string("\x07\0\0\0\0\0\0\xf0\x3f\0\x01\x02", 12);
  const SafetensorsFile file(stored(bytes));
  EXPECT_EQ(file.head(), bytes.substr(0, bytes.size() - 12));
  const std::vector<TensorInfo>& tensors = file.header().tensors;
  EXPECT_EQ(file.tensor(tensors[0]).item<uint8_t>(), 7);
  const torch::Tensor number = file.tensor(tensors[1]);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(number.const_data_ptr()) % 8, 0u);
  EXPECT_EQ(number.item<double>(), 1.0);
  EXPECT_TRUE(at::equal(file.tensor(tensors[2]), torch::tensor({false, true, true})));
}

TEST(SafetensorsBytes, EqualTheReferencesOwn) {
  const torch::Tensor six = torch::arange(6, torch::kFloat32);
  const std::string data = contents(six);
  EXPECT_EQ(safetensors_bytes({{"attn.0", six.reshape({1, 2, 3})}}, {}),
            file_of("{" + entry("attn.0", "F32", "1,2,3", "0,24") + "}") + data);
  EXPECT_EQ(safetensors_bytes({{"attn0", six.reshape({1, 1, 2, 3})}}, {}),
            file_of("{" + entry("attn0", "F32", "1,1,2,3", "0,24") + "}       ") + data);
  EXPECT_EQ(safetensors_bytes({}, {}), file_of("{}      "));
  EXPECT_EQ(safetensors_bytes({}, {{"framework", "pt"}}),
            file_of(R"({"__metadata__":{"framework":"pt"}}     )"));
}

TEST(SafetensorsBytes, DoNotDependOnTheOrderOrTheLayoutGiven) {
  const torch::Tensor grid = torch::arange(6, torch::kFloat32).reshape({2, 3});
  const torch::Tensor half = torch::ones({3}, torch::kFloat16);
  const torch::Tensor count = torch::tensor(5, torch::kInt64);
  const std::string bytes = safetensors_bytes({{"b", grid}, {"a", grid}, {"c", half}, {"d", count}},
                                              {{"y", "1"}, {"x", "\"\n\x01é"}});
  const torch::Tensor turned = grid.t().contiguous().t();
  EXPECT_EQ(bytes, safetensors_bytes(
                       {{"d", count}, {"c", half}, {"a", turned}, {"b", grid.clone().requires_grad_()}},
                       {{"x", "\"\n\x01é"}, {"y", "1"}}));
  const SafetensorsHeader header = parse(bytes);
  std::string order;
  for (const TensorInfo& info : header.tensors) order += info.name;
  EXPECT_EQ(order, "dabc");
  EXPECT_EQ(header.data_begin % 8, 0u);
  EXPECT_EQ(header.metadata, (Metadata{{"x", "\"\n\x01é"}, {"y", "1"}}));
}

TEST(SafetensorsBytes, RefuseWhatTheFormatCannotHold) {
  const torch::Tensor one = torch::ones({1});
  EXPECT_THROW(safetensors_bytes({{"a", one}, {"a", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"__metadata__", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"\xff", one}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", torch::Tensor()}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", one.to_sparse()}}, {}), Error);
  EXPECT_THROW(safetensors_bytes({{"a", one.to(torch::kComplexDouble)}}, {}), Error);
  try {
    safetensors_bytes({{"a", one}}, {{"ss_training_comment", "caf\xe9"}});
    ADD_FAILURE() << "Latin-1 in the metadata was accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.status(), ExitStatus::kUsage);
    EXPECT_STREQ(error.what(), "the metadata 'ss_training_comment' is not UTF-8 text");
  }
}

TEST_F(SafetensorsFiles, GiveBackWhatWasWritten) {
  NamedTensors tensors = {{"scalar", torch::tensor(-0.0, torch::kFloat64)},
                          {"none", torch::empty({0, 7}, torch::kInt16)}};
  const torch::Tensor bytes = torch::arange(64, torch::kUInt8);
  for (const auto type : {torch::kInt8, torch::kInt16, torch::kInt32, torch::kInt64, torch::kUInt16,
                          torch::kUInt32, torch::kUInt64, torch::kFloat16, torch::kBFloat16, torch::kFloat32,
                          torch::kFloat64, torch::kComplexFloat, torch::kFloat8_e5m2, torch::kFloat8_e4m3fn,
                          torch::kFloat8_e8m0fnu, torch::kFloat8_e4m3fnuz, torch::kFloat8_e5m2fnuz}) {
    tensors.emplace_back(c10::toString(type), bytes.view(type).reshape({2, -1}));
  }
  tensors.emplace_back("bool", torch::tensor({true, false, true}));
  const Metadata metadata = {{"seed", "42"}, {"prompts", "Ein Häuschen, 日本 \\ \"x\""}};
  const std::string path = (folder_ / "all.safetensors").string();
  write_safetensors(path, tensors, metadata);
  const SafetensorsFile file(path);
  EXPECT_EQ(file.header().metadata, metadata);
  ASSERT_EQ(file.header().tensors.size(), tensors.size());
  StateDict weights = LocalFileSource().open_safetensors(path);
  for (const auto& [name, tensor] : tensors) {
    const torch::Tensor read = weights.take(name, tensor.sizes().vec());
    ASSERT_EQ(read.scalar_type(), tensor.scalar_type()) << name;
    EXPECT_EQ(contents(read), contents(tensor.contiguous())) << name;
  }
  EXPECT_TRUE(weights.left().empty());
  EXPECT_EQ(LocalFileSource().read(path), safetensors_bytes(tensors, metadata));
}

// Nothing but an Error may come of a damaged file, and what is accepted can be read to its last byte.
TEST_F(SafetensorsFiles, SurviveRandomDamage) {
  const std::string whole = safetensors_bytes({{"a.weight", torch::ones({3, 2})},
                                               {"b", torch::ones({}, torch::kInt64)},
                                               {"c", torch::zeros({5}, torch::kBool)},
                                               {"d", torch::zeros({0, 4})}},
                                              {{"format", "pt"}});
  const std::string alphabet = "0123456789{}[]\",:-.e\\ntF3U8B\xff" + std::string(1, '\0');
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 6000; ++round) {
    std::string bytes = whole;
    for (unsigned damage = 1 + random() % 3; damage > 0; --damage) {
      const size_t place = random() % bytes.size();
      switch (random() % 4) {
        case 0:
          bytes[place] = alphabet[random() % alphabet.size()];
          break;
        case 1:
          bytes[place] = static_cast<char>(bytes[place] ^ 1 << random() % 8);
          break;
        case 2:
          bytes.erase(place, 1 + random() % 4);
          break;
        default:
          bytes.insert(place, 1 + random() % 2, alphabet[random() % alphabet.size()]);
          break;
      }
    }
    try {
      parse(bytes);
      const SafetensorsFile file(stored(bytes));
      for (const TensorInfo& info : file.header().tensors) {
        ASSERT_EQ(contents(file.tensor(info)).size(), info.end - info.begin);
      }
      ++accepted;
    } catch (const Error& error) {
      ASSERT_EQ(error.status(), ExitStatus::kUsage) << error.what();
    }
  }
  EXPECT_GT(accepted, 100);  // damage to the data alone cannot be seen
  EXPECT_LT(accepted, 5000);
}

}  // namespace
}  // namespace leco
