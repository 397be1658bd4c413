#include "text/tokenizer_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>
#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_object.h"

namespace leco {
namespace {

using nlohmann::json;

// In the order in which transformers adds their tokens to the vocabulary.
struct Role {
  const char* key;
  const char* default_content;  // null: no token
};
constexpr std::array<Role, 7> kRoles{{{"bos_token", "<|startoftext|>"},
                                      {"eos_token", "<|endoftext|>"},
                                      {"unk_token", "<|endoftext|>"},
                                      {"sep_token", nullptr},
                                      {"pad_token", "<|endoftext|>"},
                                      {"cls_token", nullptr},
                                      {"mask_token", nullptr}}};

struct Declared {
  std::string content;
  bool normalized = false;
};

json parse_object(const std::optional<std::string>& text, const std::string& path) {
  return text ? parse_json_object(*text, path) : json::object();
}

bool flag_of(const json& token, const char* key, const std::string& place) {
  const auto found = token.find(key);
  if (found == token.end() || !found->is_boolean()) {
    throw_usage(fmt::format("{}: '{}' must be true or false in {}", place, key, shown(token)));
  }
  return found->get<bool>();
}

// A token is written as a string, or as an object with its flags.
Declared read_token(const json& token, bool normalized_when_string, const std::string& place) {
  if (token.is_string() && !token.get_ref<const std::string&>().empty()) {
    return {token.get<std::string>(), normalized_when_string};
  }
  if (!token.is_object() || !token.contains("content") || !token["content"].is_string() ||
      token["content"] == "") {
    throw_usage(fmt::format("{}: a token (a text, or an object with 'content') is expected, found {}", place,
                            shown(token)));
  }
  for (const char* key : {"lstrip", "rstrip", "single_word"}) {
    if (flag_of(token, key, place)) {
      throw_usage(fmt::format("{}: '{}' is true for {}; this program knows only tokens where it is false",
                              place, key, shown(token["content"])));
    }
  }
  return {token["content"].get<std::string>(), flag_of(token, "normalized", place)};
}

void require_value(const json& config, const char* key, std::initializer_list<const char*> allowed,
                   const std::string& path) {
  const auto found = config.find(key);
  if (found == config.end() || found->is_null()) return;
  if (std::ranges::none_of(allowed, [&](const char* value) { return *found == value; })) {
    throw_usage(fmt::format("'{}': '{}' is {}; this program knows only \"{}\"", path, key, shown(*found),
                            *allowed.begin()));
  }
}

// What the files declare, before ids are given.
class Declarations {
 public:
  explicit Declarations(const TokenizerFiles& files)
      : config_path_(files.folder + "/tokenizer_config.json"),
        map_path_(files.folder + "/special_tokens_map.json"),
        added_path_(files.folder + "/added_tokens.json"),
        config_(parse_object(files.tokenizer_config_json, config_path_)),
        map_(parse_object(files.special_tokens_map_json, map_path_)),
        added_(parse_object(files.added_tokens_json, added_path_)) {
    require_value(config_, "tokenizer_class", {"CLIPTokenizer", "CLIPTokenizerFast"}, config_path_);
    require_value(config_, "padding_side", {"right"}, config_path_);
    require_value(config_, "truncation_side", {"right"}, config_path_);
    const auto extra = config_.find("extra_special_tokens");
    if (extra != config_.end() && !extra->empty()) {
      throw_usage(
          fmt::format("'{}': 'extra_special_tokens' is not known here; list them in 'added_tokens_decoder'",
                      config_path_));
    }
  }

  std::optional<Declared> role(const Role& role) const {
    const bool in_map = is_legacy() && map_.contains(role.key);
    const json& source = in_map ? map_ : config_;
    // transformers' CLIPTokenizer turns texts for the first three roles into normalized tokens, others not.
    const std::string key = role.key;
    const bool normalized = key == "bos_token" || key == "eos_token" || key == "unk_token";
    const auto found = source.find(key);
    if (found == source.end() && role.default_content == nullptr) return std::nullopt;
    if (found == source.end()) return Declared{role.default_content, normalized};
    if (found->is_null() && role.default_content == nullptr) return std::nullopt;
    return read_token(*found, normalized,
                      fmt::format("'{}', key '{}'", in_map ? map_path_ : config_path_, key));
  }

  std::vector<Declared> additional() const {
    std::vector<Declared> tokens = additional_in(config_, config_path_);
    if (is_legacy()) std::ranges::copy(additional_in(map_, map_path_), std::back_inserter(tokens));
    return tokens;
  }

  // The explicit list, by id.
  std::map<int64_t, Declared> listed(const std::vector<Declared>& special) const {
    return is_legacy() ? listed_by_content(special) : listed_by_id();
  }

  const std::string& listing_path() const { return is_legacy() ? added_path_ : config_path_; }

 private:
  bool is_legacy() const { return !config_.contains("added_tokens_decoder"); }

  static std::vector<Declared> additional_in(const json& source, const std::string& path) {
    std::vector<Declared> tokens;
    const auto found = source.find("additional_special_tokens");
    if (found == source.end() || found->is_null()) return tokens;
    const std::string place = fmt::format("'{}', key 'additional_special_tokens'", path);
    if (!found->is_array()) throw_usage(place + ": a list is expected, found " + shown(*found));
    for (const json& token : *found) tokens.push_back(read_token(token, false, place));
    return tokens;
  }

  std::map<int64_t, Declared> listed_by_id() const {
    const json& list = config_["added_tokens_decoder"];
    const std::string place = fmt::format("'{}', key 'added_tokens_decoder'", config_path_);
    if (!list.is_object())
      throw_usage(place + ": an object from ids to tokens is expected, found " + shown(list));
    std::map<int64_t, Declared> tokens;
    for (const auto& [id, token] : list.items()) {
      if (id.empty() || id.size() > 9 || id.find_first_not_of("0123456789") != std::string::npos) {
        throw_usage(fmt::format("{}: '{}' is no id", place, id));
      }
      tokens.emplace(std::stoll(id), read_token(token, false, place));
    }
    return tokens;
  }

  std::map<int64_t, Declared> listed_by_content(const std::vector<Declared>& special) const {
    std::map<int64_t, Declared> tokens;
    for (const auto& [content, id] : added_.items()) {
      if (!id.is_number_unsigned() || content.empty()) {
        throw_usage(
            fmt::format("'{}': an id is expected for '{}', found {}", added_path_, content, shown(id)));
      }
      const bool is_special = std::ranges::find(special, content, &Declared::content) != special.end();
      tokens.emplace(id.get<int64_t>(), Declared{content, !is_special});
    }
    return tokens;
  }

  std::string config_path_, map_path_, added_path_;
  json config_, map_, added_;
};

// Gives ids as the backend does: the vocabulary's, else the next one behind it.
class IdGiver {
 public:
  explicit IdGiver(const BytePairs& vocabulary) : vocabulary_(vocabulary), next_(vocabulary.size()) {}

  int64_t add(const Declared& token) {
    const auto same = std::ranges::find(added_, token.content, &AddedToken::content);
    if (same != added_.end()) return same->id;
    const auto known = vocabulary_.id_of(token.content);
    const int64_t id = known ? *known : next_;
    next_ = std::max(next_, id + 1);
    added_.push_back({token.content, id, token.normalized});
    return id;
  }

  std::vector<AddedToken> take() { return std::move(added_); }

 private:
  const BytePairs& vocabulary_;
  int64_t next_;
  std::vector<AddedToken> added_;
};

}  // namespace

SpecialTokens read_special_tokens(const TokenizerFiles& files, const BytePairs& vocabulary) {
  const Declarations declared(files);
  std::vector<Declared> special;
  std::map<std::string, Declared> by_role;
  for (const Role& role : kRoles) {
    if (const auto token = declared.role(role)) {
      special.push_back(*token);
      by_role.emplace(role.key, *token);
    }
  }
  std::ranges::copy(declared.additional(), std::back_inserter(special));

  IdGiver ids(vocabulary);
  for (const auto& [id, token] : declared.listed(special)) {
    if (const int64_t given = ids.add(token); given != id) {
      throw_usage(
          fmt::format("'{}': the token '{}' has the id {} there, but {} behind the vocabulary of {} tokens",
                      declared.listing_path(), token.content, id, given, vocabulary.size()));
    }
  }
  for (const Declared& token : special) ids.add(token);
  SpecialTokens result;
  result.start = ids.add(by_role.at("bos_token"));
  result.end = ids.add(by_role.at("eos_token"));
  result.pad = files.pad_id.value_or(ids.add(by_role.at("pad_token")));
  result.unknown = ids.add(by_role.at("unk_token"));
  result.added = ids.take();
  return result;
}

}  // namespace leco
