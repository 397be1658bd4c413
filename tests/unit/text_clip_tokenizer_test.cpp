#include "text/clip_tokenizer.h"

#include <gtest/gtest.h>

#include "core/read_file.h"
#include "text/tokenizer.h"

namespace leco {
namespace {

const std::string kFolder = LECO_TEST_DATA "/toy-sd/tokenizer";

TEST(ClipTokenizer, HasTheVocabularyOfThePublishedFolders) {
  const std::string merges = read_local_file(kFolder + "/merges.txt");
  const BytePairs published(read_local_file(kFolder + "/vocab.json"), merges, kFolder);
  const BytePairs implied(std::nullopt, clip_tokenizer(false).merges_txt, "built in");
  ASSERT_EQ(implied.size(), published.size());
  for (int64_t id = 0; id < published.size(); ++id) ASSERT_EQ(implied.bytes_of(id), published.bytes_of(id));
  EXPECT_EQ(implied.id_of("<|startoftext|>"), 49406);
  EXPECT_EQ(implied.id_of("<|endoftext|>"), 49407);
}

TEST(ClipTokenizer, PadsAsItsFamilyDoes) {
  const Tokenizer first(clip_tokenizer(/*pads_with_zero=*/false));
  const Tokenizer second(clip_tokenizer(/*pads_with_zero=*/true));
  EXPECT_EQ(first.encode("cat").back(), 49407);
  EXPECT_EQ(second.encode("cat").back(), 0);
  EXPECT_EQ(first.encode("cat")[1], second.encode("cat")[1]);
}

TEST(ClipTokenizer, MayBeToldWhatToPadWith) {
  LocalFileSource files;
  TokenizerFiles texts = read_tokenizer_folder(files, kFolder);
  EXPECT_EQ(Tokenizer(texts).encode("cat").back(), 49407);
  texts.pad_id = 0;
  EXPECT_EQ(Tokenizer(texts).encode("cat").back(), 0);
  EXPECT_EQ(Tokenizer(texts).encode("wow!!!")[2], Tokenizer(clip_tokenizer(false)).encode("wow!!!")[2]);
}

}  // namespace
}  // namespace leco
