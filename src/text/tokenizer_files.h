// The texts of a tokenizer, as a Diffusers folder's tokenizer/ (or tokenizer_2/) holds them, and what they
// say of special tokens.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "text/byte_pairs.h"

namespace leco {

struct TokenizerFiles {
  std::string folder;                     // for messages
  std::optional<std::string> vocab_json;  // absent: the vocabulary that the merges imply
  std::string merges_txt;
  std::optional<std::string> tokenizer_config_json;
  std::optional<std::string> special_tokens_map_json;
  std::optional<std::string> added_tokens_json;
  std::optional<int64_t> pad_id = {};  // pads with this one, whatever the files say
};

// A token that is recognised wherever it is written in a prompt, before words are split.
struct AddedToken {
  std::string content;
  int64_t id = 0;
  bool normalized =
      false;  // looked for in the normalized text, itself normalized; else in the text as written
};

struct SpecialTokens {
  std::vector<AddedToken> added;
  int64_t start = 0;
  int64_t end = 0;
  int64_t pad = 0;
  int64_t unknown = 0;
};

// Read as transformers' CLIPTokenizerFast.from_pretrained does in a folder without tokenizer.json: where
// tokenizer_config.json has `added_tokens_decoder`, that list and that file's roles (bos_token, pad_token, …)
// count; else special_tokens_map.json overrides the roles and added_tokens.json gives the list. Roles without
// a token have CLIP's. A token that carries a special role is an added token too: with pad_token "!", as in
// SD 2.x, every "!" of a prompt is the padding token. Throws usage errors for what would change the ids and
// is not implemented: lstrip, rstrip, single_word, padding or truncation on the left, ids that do not follow
// the vocabulary, a tokenizer that is not CLIP's.
SpecialTokens read_special_tokens(const TokenizerFiles& files, const BytePairs& vocabulary);

}  // namespace leco
