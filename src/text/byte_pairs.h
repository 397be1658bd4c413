// Byte-pair encoding of one word, as CLIP has it: bytes are written as printable stand-in characters, and the
// last symbol of a word carries "</w>". Sennrich et al., "Neural machine translation of rare words with
// subword units", 2016.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

namespace leco {

class BytePairs {
 public:
  // The texts of vocab.json (token → id) and merges.txt (a heading line, then "left right", best first; lines
  // after CLIP's 48894th merge are not used, as in transformers). Without a vocab.json the vocabulary is the
  // one that the merges imply, as CLIP's own was made: the bytes, the bytes at the end of a word, each merge,
  // start and end. `folder` names their place in usage errors.
  BytePairs(const std::optional<std::string>& vocab_json, std::string_view merges_txt,
            const std::string& folder);
  BytePairs(const BytePairs&) = delete;
  BytePairs& operator=(const BytePairs&) = delete;

  int64_t size() const { return static_cast<int64_t>(ids_.size()); }
  std::optional<int64_t> id_of(const std::string& token) const;

  // Appends the ids of a word, given as bytes and not empty. `unknown` stands for bytes the vocabulary lacks.
  void append_word(std::string_view word, int64_t unknown, std::vector<int64_t>& ids) const;

  // The bytes that a token stands for; the end of a word is a space. Empty for an id that is not in the
  // vocabulary.
  std::string bytes_of(int64_t id) const;

 private:
  struct Merge {
    uint32_t rank;
    int64_t id;
  };
  struct Symbol;

  void read_vocabulary(std::string_view json, const std::string& origin);
  void imply_vocabulary(std::string_view merges_txt, const std::string& origin);
  void add_token(const std::string& token);
  // visit({left, right}, place) for each line of merges.txt.
  template <class Visit>
  static void for_each_merge(std::string_view text, const std::string& origin, Visit visit);
  static std::pair<std::string, std::string> split_merge(std::string_view line, const std::string& place);
  void add_merge(const std::pair<std::string, std::string>& pair, const std::string& place);
  std::vector<Symbol> symbols_of(std::string_view word, int64_t unknown) const;
  const Merge* merge_of(int64_t left, int64_t right) const;

  static constexpr int64_t kNone = -1;
  std::unordered_map<std::string, int64_t> ids_;
  std::unordered_map<int64_t, std::string> tokens_;
  std::unordered_map<uint64_t, Merge> merges_;  // by left · 2³² + right
  std::array<int64_t, 256> inside_;             // id of a byte, or kNone
  std::array<int64_t, 256> at_end_;             // id of a byte that ends a word, or kNone
};

}  // namespace leco
