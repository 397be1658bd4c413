// Text to ids, as transformers.CLIPTokenizerFast 4.57.1 (tokenizers 0.22) does it: no ftfy, no splitting of
// CJK.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/byte_pairs.h"
#include "text/tokenizer_files.h"

namespace leco {

class Tokenizer {
 public:
  static constexpr int64_t kLength = 77;  // what one encoder call takes: start, kMostTokens at most, end
  static constexpr int64_t kMostTokens = kLength - 2;

  // Throws usage errors that name the file. A tokenizer.json in the folder is not read.
  explicit Tokenizer(const TokenizerFiles& files);

  // kLength ids: start, the first kMostTokens of the prompt, end, padding.
  std::vector<int64_t> encode(std::string_view prompt) const;

  // All ids of a prompt, however many, without start and end. Throws a usage error for invalid UTF-8.
  std::vector<int64_t> tokens(std::string_view prompt) const;

  // The first kMostTokens · chunks of `tokens` as rows of kLength ids: start, kMostTokens, end. Rows of a
  // long prompt are made as sd-scripts makes them: all tokens, end and padding are one row, cut into equal
  // parts; a part gets a start in front and the row's last id behind, or the end token where a word stands
  // before it; a part that begins with the padding token has the end token there.
  std::vector<int64_t> framed(std::span<const int64_t> tokens, int64_t chunks = 1) const;  // chunks · kLength

  // The text that ids stand for, normalized as it was when they were made; for messages.
  std::string text_of(std::span<const int64_t> ids) const;

 private:
  struct Found;
  struct Pattern {
    std::u32string text;
    int64_t id;
  };
  std::vector<int64_t> one_row(std::span<const int64_t> tokens, int64_t most) const;
  static Found find_first(const std::vector<Pattern>& patterns, std::u32string_view text);
  void append_normalized(std::u32string_view text, std::vector<int64_t>& ids) const;
  void append_words(std::u32string_view text, std::vector<int64_t>& ids) const;

  BytePairs byte_pairs_;
  SpecialTokens special_;
  std::vector<Pattern> as_written_;  // added tokens looked for before normalization
  std::vector<Pattern> normalized_;  // and after it
};

}  // namespace leco
