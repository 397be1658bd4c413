#include "text/tokenizer.h"

#include <algorithm>
#include <array>

#include "text/characters.h"

namespace leco {

struct Tokenizer::Found {
  size_t at = std::u32string_view::npos;
  const Pattern* pattern = nullptr;
};

namespace {

constexpr std::array<std::u32string_view, 7> kContractions{U"'s", U"'t",  U"'re", U"'ve",
                                                           U"'m", U"'ll", U"'d"};

bool is_other(char32_t c) {
  return !is_white_space(c) && !is_letter(c) && !is_number(c);
}

// Length of the run of characters at the start of `text` for which `belongs` holds.
size_t run_length(std::u32string_view text, bool (*belongs)(char32_t)) {
  return static_cast<size_t>(std::find_if_not(text.begin(), text.end(), belongs) - text.begin());
}

// CLIP's split pattern at the start of `text`, which is no white space: a contraction, a run of letters, one
// digit or other number, or a run of anything else.
size_t word_length(std::u32string_view text) {
  for (const std::u32string_view contraction : kContractions) {
    if (text.starts_with(contraction)) return contraction.size();
  }
  if (is_letter(text.front())) return run_length(text, is_letter);
  if (is_number(text.front())) return 1;
  return run_length(text, is_other);
}

}  // namespace

Tokenizer::Tokenizer(const TokenizerFiles& files)
    : byte_pairs_(files.vocab_json, files.merges_txt, files.folder),
      special_(read_special_tokens(files, byte_pairs_)) {
  for (const AddedToken& token : special_.added) {
    const std::u32string text = decode_utf8(token.content);
    if (token.normalized) {
      normalized_.push_back({normalize_for_clip(text), token.id});
    } else {
      as_written_.push_back({text, token.id});
    }
  }
}

std::vector<int64_t> Tokenizer::encode(std::string_view prompt) const {
  return framed(tokens(prompt));
}

std::vector<int64_t> Tokenizer::tokens(std::string_view prompt) const {
  const std::u32string text = decode_utf8(prompt);
  std::u32string_view rest = text;
  std::vector<int64_t> ids;
  for (Found found = find_first(as_written_, rest); found.pattern != nullptr;
       found = find_first(as_written_, rest)) {
    append_normalized(rest.substr(0, found.at), ids);
    ids.push_back(found.pattern->id);
    rest.remove_prefix(found.at + found.pattern->text.size());
  }
  append_normalized(rest, ids);
  return ids;
}

std::vector<int64_t> Tokenizer::framed(std::span<const int64_t> tokens, int64_t chunks) const {
  const std::vector<int64_t> row = one_row(tokens, chunks * kMostTokens);
  if (chunks == 1) return row;
  std::vector<int64_t> ids;
  for (int64_t i = 0; i < chunks; ++i) {
    const auto words = std::span(row).subspan(static_cast<size_t>(1 + i * kMostTokens), kMostTokens);
    const bool ends_in_word = words.back() != special_.end && words.back() != special_.pad;
    ids.push_back(special_.start);
    ids.push_back(words.front() == special_.pad ? special_.end : words.front());
    ids.insert(ids.end(), words.begin() + 1, words.end());
    ids.push_back(ends_in_word ? special_.end : row.back());
  }
  return ids;
}

// Start, the first `most` tokens, end, padding: `most` + 2 ids.
std::vector<int64_t> Tokenizer::one_row(std::span<const int64_t> tokens, int64_t most) const {
  std::vector<int64_t> ids{special_.start};
  const auto kept = tokens.first(std::min(tokens.size(), static_cast<size_t>(most)));
  ids.insert(ids.end(), kept.begin(), kept.end());
  ids.push_back(special_.end);
  ids.resize(static_cast<size_t>(most + 2), special_.pad);
  return ids;
}

std::string Tokenizer::text_of(std::span<const int64_t> ids) const {
  std::string bytes;
  for (const int64_t id : ids) {
    const auto added = std::ranges::find(special_.added, id, &AddedToken::id);
    bytes += added == special_.added.end() ? byte_pairs_.bytes_of(id) : added->content + ' ';
  }
  if (bytes.ends_with(' ')) bytes.pop_back();
  return repair_utf8(bytes);
}

// The leftmost place where a pattern stands, and the longest one there.
Tokenizer::Found Tokenizer::find_first(const std::vector<Pattern>& patterns, std::u32string_view text) {
  Found first;
  for (const Pattern& pattern : patterns) {
    const size_t at = text.find(pattern.text);
    if (at == std::u32string_view::npos) continue;
    const bool longer = first.pattern != nullptr && pattern.text.size() > first.pattern->text.size();
    if (at < first.at || (at == first.at && longer)) first = {at, &pattern};
  }
  return first;
}

void Tokenizer::append_normalized(std::u32string_view text, std::vector<int64_t>& ids) const {
  const std::u32string normalized = normalize_for_clip(text);
  std::u32string_view rest = normalized;
  for (Found found = find_first(normalized_, rest); found.pattern != nullptr;
       found = find_first(normalized_, rest)) {
    append_words(rest.substr(0, found.at), ids);
    ids.push_back(found.pattern->id);
    rest.remove_prefix(found.at + found.pattern->text.size());
  }
  append_words(rest, ids);
}

void Tokenizer::append_words(std::u32string_view text, std::vector<int64_t>& ids) const {
  while (!text.empty()) {
    if (is_white_space(text.front())) {
      text.remove_prefix(1);
      continue;
    }
    const size_t length = word_length(text);
    byte_pairs_.append_word(encode_utf8(text.substr(0, length)), special_.unknown, ids);
    text.remove_prefix(length);
  }
}

}  // namespace leco
