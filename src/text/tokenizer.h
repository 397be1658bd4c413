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

  // kLength ids around the first kMostTokens of `tokens`.
  std::vector<int64_t> framed(std::span<const int64_t> tokens) const;

  // The text that ids stand for, normalized as it was when they were made; for messages.
  std::string text_of(std::span<const int64_t> ids) const;

 private:
  struct Found;
  struct Pattern {
    std::u32string text;
    int64_t id;
  };
  static Found find_first(const std::vector<Pattern>& patterns, std::u32string_view text);
  void append_normalized(std::u32string_view text, std::vector<int64_t>& ids) const;
  void append_words(std::u32string_view text, std::vector<int64_t>& ids) const;

  BytePairs byte_pairs_;
  SpecialTokens special_;
  std::vector<Pattern> as_written_;  // added tokens looked for before normalization
  std::vector<Pattern> normalized_;  // and after it
};

}  // namespace leco
