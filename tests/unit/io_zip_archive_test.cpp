// Which zips are taken for what they are, and that every contradiction in one is found.
#include "io/zip_archive.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "core/error.h"
#include "tests/support/checkpoint_parts.h"
#include "tests/support/refusal.h"

namespace leco {
namespace {

using namespace parts;

std::string refusal(const std::string& file) {
  return testing::refusal_of("m.ckpt", [&] { zip_entries(file, "m.ckpt"); });
}

void expect_refusal(const std::string& file, const std::string& part) {
  const std::string said = refusal(file);
  EXPECT_NE(said.find(part), std::string::npos) << "message: " << said << "\nwanted: " << part;
}

// The file with `bytes` written over it at `place`, counted from the end where negative.
std::string patched(std::string file, ptrdiff_t place, const std::string& bytes) {
  return file.replace(place < 0 ? file.size() + place : place, bytes.size(), bytes);
}

TEST(ZipArchive, finds_the_contents_of_each_entry) {
  const std::string file =
      zip_of({{"a/data.pkl", "first"}, {"a/", ""}, {"a/data/0", ""}, {"a/data/1", "third"}});
  const auto entries = zip_entries(file, "m.ckpt");
  ASSERT_EQ(entries.size(), 3U);
  EXPECT_EQ(file.substr(entries[0].begin, entries[0].size), "first");
  EXPECT_EQ(entries[1].size, 0U);
  EXPECT_EQ(entries[2].name, "a/data/1");
  EXPECT_EQ(file.substr(entries[2].begin, entries[2].size), "third");
}

TEST(ZipArchive, refuses_compressed_and_encrypted_entries) {
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .method = 8}}), "'a' is compressed (method 8)");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .flags = 1}}), "'a' is encrypted");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .flags = 0x40}}), "'a' is encrypted");
}

TEST(ZipArchive, refuses_sizes_that_the_file_does_not_have) {
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .size = 1'000'000'000}}),
                 "in 2 bytes instead of 1000000000");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .size = 3, .packed = 3}}),
                 "the size of its entry 'a'");
  expect_refusal(
      zip_of({{.name = "a", .contents = "xx", .flags = 8, .size = 1'000'000'000, .packed = 1'000'000'000}}),
      "reaches behind the end");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .size = 0xffffffff, .packed = 0xffffffff}}),
                 "zip64");
}

TEST(ZipArchive, refuses_entries_that_overlap) {
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .flags = 8, .size = 5, .packed = 5}, {"b", "yy"}}),
                 "'a' overlaps");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .flags = 8, .size = 5, .packed = 5}}),
                 "'a' overlaps");
  // A quine or bomb of the old kind: many entries that share one local header.
  expect_refusal(zip_of({{.name = "a", .contents = "xx"}, {.name = "b", .header = 0, .local_name = "b"}}),
                 "the name of its entry 'b'");
  const std::string one = zip_of({{"a", "xx"}});
  expect_refusal(zip_of({{.name = "aa", .contents = one}, {.name = "a", .contents = "xx", .header = 32}}),
                 "'aa' overlaps");
}

TEST(ZipArchive, refuses_names_that_lead_elsewhere_or_come_twice) {
  expect_refusal(zip_of({{"a/../b", "xx"}}), "a '..' in its name");
  expect_refusal(zip_of({{"..", "xx"}}), "a '..' in its name");
  expect_refusal(zip_of({{"/a", "xx"}}), "begins with '/'");
  expect_refusal(zip_of({{"a\\b", "xx"}}), "holds a '\\'");
  expect_refusal(zip_of({{std::string("a\0b", 3), "xx"}}), "control character");
  expect_refusal(zip_of({{"", "xx"}}), "empty");
  expect_refusal(zip_of({{"a\xff", "xx"}}), "not UTF-8");
  expect_refusal(zip_of({{"a", "xx"}, {"a", "yy"}}), "'a' comes twice");
  expect_refusal(zip_of({{.name = "a", .contents = "xx", .local_name = "b"}}), "the name of its entry 'a'");
  EXPECT_EQ(refusal(zip_of({{"a..b/c", "xx"}})), "");
}

TEST(ZipArchive, refuses_what_is_cut_off_or_appended_to) {
  const std::string whole = zip_of({{"a", "xx"}, {"b", "yy"}});
  ASSERT_EQ(refusal(whole), "");
  for (size_t length = 0; length < whole.size(); ++length)
    EXPECT_NE(refusal(whole.substr(0, length)), "") << length;
  for (size_t first = 1; first < whole.size(); ++first) EXPECT_NE(refusal(whole.substr(first)), "") << first;
  expect_refusal(whole + "\n", "appended");
  expect_refusal("#!/bin/sh\n" + whole, "does not reach its end record");
}

TEST(ZipArchive, refuses_a_directory_that_lies_about_itself) {
  const std::string whole = zip_of({{"a", "xx"}, {"b", "yy"}});
  expect_refusal(patched(whole, -22 + 8, little_endian(0xfffe, 2) + little_endian(0xfffe, 2)),
                 "announces 65534 entries");
  expect_refusal(patched(whole, -22 + 8, little_endian(1, 2) + little_endian(1, 2)),
                 "longer than its entries");
  expect_refusal(patched(whole, -22 + 8, little_endian(1, 2)), "several parts");
  expect_refusal(patched(whole, -22 + 4, little_endian(1, 2)), "several parts");
  expect_refusal(patched(whole, -22 + 16, little_endian(0xfffffff0, 4)), "does not reach its end record");
  expect_refusal(patched(whole, -22 + 20, little_endian(9, 2)), "comment");
  expect_refusal(patched(whole, 0, "QK"), "'a' is not at byte 0");
}

}  // namespace
}  // namespace leco
