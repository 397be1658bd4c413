#include "text/byte_pairs.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <queue>
#include <tuple>

#include "core/error.h"
#include "io/json_object.h"
#include "text/characters.h"

namespace leco {
namespace {

constexpr std::string_view kEndOfWord = "</w>";
constexpr size_t kMostMerges = 49152 - 256 - 2;
constexpr char32_t kFirstStandIn = 256;

// Bytes that are printable in Latin-1 stand for themselves; the others, in order, are written as U+0100,
// U+0101, …
bool stands_for_itself(int byte) {
  return (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || (byte >= 174 && byte <= 255);
}

const std::array<char32_t, 256>& stand_ins() {
  static const auto table = [] {
    std::array<char32_t, 256> made{};
    char32_t next = kFirstStandIn;
    for (int byte = 0; byte < 256; ++byte) {
      made[byte] = stands_for_itself(byte) ? static_cast<char32_t>(byte) : next++;
    }
    return made;
  }();
  return table;
}

}  // namespace

// A word while its symbols are merged: a doubly linked list in a vector.
struct BytePairs::Symbol {
  int64_t id;
  int64_t previous, next;  // indices, or kNone at the ends
  bool merged_away = false;
};

BytePairs::BytePairs(const std::optional<std::string>& vocab_json, std::string_view merges_txt,
                     const std::string& folder) {
  const std::string merges = folder + "/merges.txt";
  if (vocab_json) {
    read_vocabulary(*vocab_json, folder + "/vocab.json");
  } else {
    imply_vocabulary(merges_txt, merges);
  }
  for_each_merge(merges_txt, merges,
                 [this](const auto& pair, const std::string& place) { add_merge(pair, place); });
  for (int byte = 0; byte < 256; ++byte) {
    const std::string symbol = encode_utf8(std::u32string(1, stand_ins()[byte]));
    inside_[byte] = id_of(symbol).value_or(kNone);
    at_end_[byte] = id_of(symbol + std::string(kEndOfWord)).value_or(kNone);
  }
}

void BytePairs::read_vocabulary(std::string_view json, const std::string& origin) {
  const nlohmann::json parsed = parse_json_object(json, origin);
  for (const auto& [token, id] : parsed.items()) {
    if (!id.is_number_unsigned() || id.get<uint64_t>() > INT32_MAX) {
      throw_usage(fmt::format("'{}': the id of '{}' is {}; a whole number from 0 to 2^31 − 1 is expected",
                              origin, token, shown(id)));
    }
    ids_.emplace(token, id.get<int64_t>());
    if (!tokens_.emplace(id.get<int64_t>(), token).second) {
      throw_usage(fmt::format("'{}' gives the id {} to two tokens, '{}' and '{}'", origin, id.get<int64_t>(),
                              tokens_.at(id.get<int64_t>()), token));
    }
  }
}

void BytePairs::add_token(const std::string& token) {
  const int64_t id = size();
  ids_.emplace(token, id);
  tokens_.emplace(id, token);
}

void BytePairs::imply_vocabulary(std::string_view merges_txt, const std::string& origin) {
  for (const std::string_view end : {std::string_view(), kEndOfWord}) {
    for (const bool itself : {true, false}) {  // CLIP has the bytes that stand for themselves first
      for (int byte = 0; byte < 256; ++byte) {
        if (stands_for_itself(byte) != itself) continue;
        add_token(encode_utf8(std::u32string(1, stand_ins()[byte])).append(end));
      }
    }
  }
  for_each_merge(merges_txt, origin,
                 [this](const auto& pair, const std::string&) { add_token(pair.first + pair.second); });
  for (const char* special : {"<|startoftext|>", "<|endoftext|>"}) add_token(special);
}

template <class Visit>
void BytePairs::for_each_merge(std::string_view text, const std::string& origin, Visit visit) {
  const size_t first_end = text.find('\n');
  if (text.substr(0, first_end).find("#version") == std::string_view::npos) {
    throw_usage(fmt::format("'{}' does not begin with a line that holds '#version'; is it CLIP's merge list?",
                            origin));
  }
  size_t begin = first_end == std::string_view::npos ? text.size() : first_end + 1;
  for (size_t number = 2; begin < text.size() && number < kMostMerges + 2; ++number) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string_view line = text.substr(begin, end - begin);
    if (line.ends_with('\r')) line.remove_suffix(1);
    begin = end + 1;
    const bool last = text.find_first_not_of("\r\n", std::min(begin, text.size())) == std::string_view::npos;
    if (line.empty() && last) break;
    const std::string place = fmt::format("'{}', line {}", origin, number);
    visit(split_merge(line, place), place);
  }
}

std::pair<std::string, std::string> BytePairs::split_merge(std::string_view line, const std::string& place) {
  const size_t gap = line.find(' ');
  if (gap == std::string_view::npos || gap == 0 || gap + 1 == line.size() ||
      line.find(' ', gap + 1) != std::string_view::npos) {
    throw_usage(
        fmt::format("{}: two symbols with one space between them are expected, found '{}'", place, line));
  }
  return {std::string(line.substr(0, gap)), std::string(line.substr(gap + 1))};
}

void BytePairs::add_merge(const std::pair<std::string, std::string>& pair, const std::string& place) {
  const auto& [left, right] = pair;
  for (const std::string& token : {left, right, left + right}) {
    if (!ids_.contains(token)) {
      throw_usage(
          fmt::format("{}: '{}' is not in vocab.json; the two files do not belong together", place, token));
    }
  }
  const uint64_t key = static_cast<uint64_t>(ids_.at(left)) << 32 | static_cast<uint64_t>(ids_.at(right));
  merges_.emplace(key, Merge{static_cast<uint32_t>(merges_.size()), ids_.at(left + right)});
}

std::optional<int64_t> BytePairs::id_of(const std::string& token) const {
  const auto found = ids_.find(token);
  return found == ids_.end() ? std::nullopt : std::optional(found->second);
}

const BytePairs::Merge* BytePairs::merge_of(int64_t left, int64_t right) const {
  const auto found = merges_.find(static_cast<uint64_t>(left) << 32 | static_cast<uint64_t>(right));
  return found == merges_.end() ? nullptr : &found->second;
}

std::vector<BytePairs::Symbol> BytePairs::symbols_of(std::string_view word, int64_t unknown) const {
  const auto size = static_cast<int64_t>(word.size());
  std::vector<Symbol> symbols;
  for (int64_t i = 0; i < size; ++i) {
    const auto byte = static_cast<unsigned char>(word[i]);
    const int64_t id = i + 1 == size ? at_end_[byte] : inside_[byte];
    symbols.push_back({id == kNone ? unknown : id, i - 1, i + 1 == size ? kNone : i + 1});
  }
  return symbols;
}

void BytePairs::append_word(std::string_view word, int64_t unknown, std::vector<int64_t>& ids) const {
  std::vector<Symbol> symbols = symbols_of(word, unknown);
  using Candidate =
      std::tuple<uint32_t, int64_t, int64_t>;  // rank, index of the left symbol, id of the two together
  std::priority_queue<Candidate, std::vector<Candidate>, std::greater<>> candidates;
  const auto consider = [&](int64_t left) {
    if (left == kNone || symbols[left].next == kNone) return;
    const Merge* merge = merge_of(symbols[left].id, symbols[symbols[left].next].id);
    if (merge != nullptr) candidates.emplace(merge->rank, left, merge->id);
  };
  for (size_t i = 0; i < symbols.size(); ++i) consider(static_cast<int64_t>(i));

  while (!candidates.empty()) {
    const auto [rank, left, id] = candidates.top();
    candidates.pop();
    Symbol& symbol = symbols[left];
    if (symbol.merged_away || symbol.next == kNone) continue;
    Symbol& right = symbols[symbol.next];
    const Merge* merge = merge_of(symbol.id, right.id);
    if (merge == nullptr || merge->rank != rank) continue;  // a neighbour has changed since
    right.merged_away = true;
    symbol.id = id;
    symbol.next = right.next;
    if (symbol.next != kNone) symbols[symbol.next].previous = left;
    consider(symbol.previous);
    consider(left);
  }
  for (const Symbol& symbol : symbols) {
    if (!symbol.merged_away) ids.push_back(symbol.id);
  }
}

std::string BytePairs::bytes_of(int64_t id) const {
  const auto found = tokens_.find(id);
  if (found == tokens_.end()) return "";
  std::string_view token = found->second;
  const bool ends_word = token.ends_with(kEndOfWord);
  if (ends_word) token.remove_suffix(kEndOfWord.size());
  std::string bytes;
  for (const char32_t c : decode_utf8(token)) {
    const auto& table = stand_ins();
    const auto place = std::find(table.begin(), table.end(), c);
    if (place != table.end()) bytes.push_back(static_cast<char>(place - table.begin()));
  }
  if (ends_word) bytes.push_back(' ');
  return bytes;
}

}  // namespace leco
