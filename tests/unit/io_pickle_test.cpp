// What a pickle may say, and that nothing else is read.
#include "io/pickle.h"

#include <gtest/gtest.h>

#include "core/error.h"
#include "io/torch_names.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/refusal.h"

namespace leco {
namespace {

using namespace parts;
using Kind = PickleValue::Kind;

// The message of the refusal; empty when the pickle is read.
std::string refusal(const std::string& bytes) {
  return testing::refusal_of("m.ckpt", [&] { Pickle(bytes, "m.ckpt", is_known_checkpoint_name); });
}

void expect_refusal(const std::string& body, const std::string& part) {
  const std::string said = refusal(kProtocol + body);
  EXPECT_NE(said.find(part), std::string::npos) << "message: " << said << "\nwanted: " << part;
}

std::string repeated(const std::string& text, int count) {
  std::string result;
  for (int i = 0; i < count; ++i) result += text;
  return result;
}

TEST(Pickle, gives_values_as_they_are_written) {
  const std::string bytes =
      kProtocol +
      tuple({"N", "\x88", number(-2), number(1LL << 40), "K\xff", "M\xff\xff", text("a\xc3\xa4"),
             "](K\x01K\x02"
             "e",
             dict({{"k", "N"}}), "\x8a\x01\xff", std::string("\x8a\0", 2)}) +
      ".";
  const Pickle pickle(bytes, "m.ckpt", is_known_checkpoint_name);
  ASSERT_EQ(pickle.root().kind, Kind::kTuple);
  const auto item = [&](size_t i) { return pickle.at(pickle.root().items.at(i)); };
  EXPECT_EQ(item(0).kind, Kind::kNone);
  EXPECT_EQ(item(1).integer, 1);
  EXPECT_EQ(item(2).integer, -2);
  EXPECT_EQ(item(3).integer, 1LL << 40);
  EXPECT_EQ(item(4).integer, 255);
  EXPECT_EQ(item(5).integer, 65535);
  EXPECT_EQ(item(6).text, "a\xc3\xa4");
  EXPECT_EQ(item(7).items.size(), 2U);
  EXPECT_EQ(pickle.at(item(8).items[0]).text, "k");
  EXPECT_EQ(item(9).integer, -1);
  EXPECT_EQ(item(10).integer, 0);
}

TEST(Pickle, shares_what_the_memo_shares) {
  const std::string bytes = kProtocol + tuple({"]q\x05", "h\x05"}) + ".";
  const Pickle pickle(bytes, "m.ckpt", is_known_checkpoint_name);
  EXPECT_EQ(pickle.root().items[0], pickle.root().items[1]);
}

TEST(Pickle, refuses_every_way_to_name_forbidden_code_and_says_the_name) {
  for (const auto& [module, name] :
       std::vector<std::pair<std::string, std::string>>{{"os", "system"},
                                                        {"posix", "system"},
                                                        {"nt", "system"},
                                                        {"builtins", "eval"},
                                                        {"__builtin__", "eval"},
                                                        {"builtins", "exec"},
                                                        {"builtins", "getattr"},
                                                        {"subprocess", "Popen"},
                                                        {"torch", "load"},
                                                        {"torch.hub", "load"},
                                                        {"collections", "OrderedDict.__init__"},
                                                        {"torch._utils", "_rebuild_tensor"},
                                                        {"runpy", "_run_code"},
                                                        {"numpy", "load"},
                                                        {"numpy.core.multiarray_os", "system"}}) {
    const std::string asked = "'" + module + "." + name + "'";
    expect_refusal(call(global(module, name), {text("touch /tmp/x")}) + ".", asked);
    expect_refusal(global(module, name) + ".", asked);
    expect_refusal(text(module) + text(name) + "\x93" + tuple({text("true")}) + "R.", asked);
    expect_refusal("(" + text("true") + "i" + module + "\n" + name + "\n.", asked);
    expect_refusal(global(module, name) + ")\x81.", asked);
    expect_refusal(call(global("collections", "OrderedDict"), {}) +
                       dict({{"__setstate__", global(module, name)}}) + "b.",
                   asked);
  }
}

TEST(Pickle, shows_an_odd_name_on_one_short_line) {
  expect_refusal(text("o\ns\x1b[31m") + text(std::string(5000, 'x')) + "\x93.", "'o?s?[31m.xxxx");
  EXPECT_LT(refusal(kProtocol + text("os") + text(std::string(5000, 'x')) + "\x93.").size(), 400U);
}

TEST(Pickle, refuses_odd_bytes_in_the_name_of_a_known_module) {
  for (const std::string odd : {"m\r", "m\x1b[31m", "m ä", "m\t", "m\x7f"}) {
    const std::string line = "it asks for 'sgm.m";
    expect_refusal(global("sgm", odd) + ".", line);
    expect_refusal(text("sgm") + text(odd) + "\x93.", line);
    expect_refusal("(isgm\n" + odd + "\n.", line);
    EXPECT_EQ(refusal(kProtocol + "(isgm\n" + odd + "\n.").find_first_of("\n\r\t\x1b\x7f"),
              std::string::npos);
  }
}

TEST(Pickle, lets_known_names_be_mentioned_called_and_built_without_effect) {
  const std::string callback = global("pytorch_lightning.callbacks.model_checkpoint", "ModelCheckpoint");
  EXPECT_EQ(refusal(kProtocol + callback + "."), "");
  EXPECT_EQ(refusal(kProtocol + callback + ")\x81" + dict({{"best", "N"}}) + "b."), "");
  EXPECT_EQ(refusal(kProtocol + call(global("numpy.core.multiarray", "scalar"), {"N"}) + "."), "");
}

TEST(Pickle, refuses_calls_of_what_is_no_global) {
  expect_refusal(text("os.system") + tuple({}) + "R.", "no global");
  expect_refusal(call(call(global("collections", "OrderedDict"), {}), {}) + ".", "no global");
  expect_refusal(global("collections", "OrderedDict") + "NR.", "no tuple");
  expect_refusal("]Nb.", "no object");
  expect_refusal(global("collections", "OrderedDict") + "}b.", "no object");
  expect_refusal("(N(NNticollections\nOrderedDict\n.", "'collections.OrderedDict'");
  expect_refusal("NN\x93.", "no text");
}

TEST(Pickle, refuses_opcodes_that_torch_does_not_write) {
  for (const std::string opcode :
       {"I1\n", "S'x'\n", "g0\n", "p0\n", "P1\n", "(o", "\x82\x01", "\x92", "\x96", "2"}) {
    expect_refusal("N" + opcode + ".", "opcode 0x");
  }
  EXPECT_NE(refusal("N.").find("protocol"), std::string::npos);
  EXPECT_NE(refusal("").find("protocol"), std::string::npos);
  EXPECT_NE(refusal("\x80\x09N.").find("protocol 9"), std::string::npos);
}

TEST(Pickle, refuses_a_stream_that_is_cut_off_anywhere) {
  const std::string whole =
      kProtocol + dict({{"state_dict", dict({{"w", tensor({})}})}, {"epoch", number(3)}}) + ".";
  ASSERT_EQ(refusal(whole), "");
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  EXPECT_NE(refusal(whole + "N").find("follows its end"), std::string::npos);
}

TEST(Pickle, refuses_lengths_beyond_the_stream) {
  expect_refusal(
      "X\xff\xff\xff\xff"
      "abc.",
      "cut off");
  expect_refusal(
      "\x8d\xff\xff\xff\xff\xff\xff\xff\xff"
      "abc.",
      "cut off");
  expect_refusal(
      "B\xff\xff\xff\x7f"
      "abc.",
      "cut off");
  expect_refusal("\x8a\xff.", "cut off");
  expect_refusal("cos", "cut off");
}

TEST(Pickle, refuses_a_broken_stack_and_memo) {
  for (const char* body :
       {".",    "0.",     "t.",     "(.",    "(N.", "\x85.", "(\x85.", "N\x86.", "a.", "]a.", "(e.",
        "}Ns.", "N(NNu.", "](NNu.", "}(Ne.", "R.",  "b.",    "Q.",     "\x81.",  "1.", "NN."}) {
    EXPECT_NE(refusal(kProtocol + body), "") << body;
  }
  expect_refusal("}(Nu.", "without a value");
  expect_refusal("h\x07.", "memo place 7 is empty");
  expect_refusal("Nr\xff\xff\xff\xff.", "memo place 4294967295");
  expect_refusal("q\x01.", "missing on its stack");
  expect_refusal("N(q\x01.", "missing on its stack");
}

TEST(Pickle, bounds_depth_marks_values_and_size) {
  expect_refusal("N" + repeated("\x85", 100'000) + ".", "deeper than 200");
  expect_refusal("]" +
                     repeated("q\x01]h\x01"
                              "a",
                              1'000) +
                     ".",
                 "deeper than 200");
  expect_refusal(repeated("(", 100'000) + ".", "open marks");
  expect_refusal("(" + repeated("N", 4'100'000) + "t.", "more than 4000000 values");
  expect_refusal("Nq\x01(" + repeated("h\x01", 4'100'000) + "t.", "more than 4000000 values");
  expect_refusal(repeated("(1", 17 << 20) + "N.", "bytes, at most");
}

TEST(Pickle, does_not_unfold_what_is_shared) {
  // Each list holds the one before it 100 times: 100^150 paths, 150 values.
  std::string body = "]q\x01";
  for (int level = 0; level < 150; ++level) body += "0](" + repeated("h\x01", 100) + "eq\x01";
  EXPECT_EQ(refusal(kProtocol + body + "."), "");
  EXPECT_EQ(refusal(kProtocol + "]q\x01h\x01"
                                "a."),
            "");  // a list that holds itself
}

}  // namespace
}  // namespace leco
