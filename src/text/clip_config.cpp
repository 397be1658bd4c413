#include "text/clip_config.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"
#include "io/json_object.h"
#include "text/tokenizer.h"

namespace leco {
namespace {

using nlohmann::json;

class ConfigReader {
 public:
  ConfigReader(std::string_view text, const std::string& path)
      : path_(path), config_(parse_json_object(text, path)) {}

  // The bound is far above any encoder and keeps products of sizes inside 64 bits.
  int64_t size(const char* key, uint64_t most = 1 << 24) const {
    const json& value = at(key);
    if (!value.is_number_unsigned() || value.get<uint64_t>() == 0 || value.get<uint64_t>() > most) {
      reject(key, fmt::format("a whole number from 1 to {}", most));
    }
    return value.get<int64_t>();
  }

  int64_t size_or(const char* key, int64_t otherwise) const {
    return config_.contains(key) ? size(key) : otherwise;
  }

  int64_t id_or(const char* key, int64_t otherwise) const {
    if (!config_.contains(key)) return otherwise;
    if (!at(key).is_number_unsigned() || at(key).get<uint64_t>() > INT32_MAX)
      reject(key, "the id of a token");
    return at(key).get<int64_t>();
  }

  double positive(const char* key) const {
    const json& value = at(key);
    if (!value.is_number() || !(value.get<double>() > 0)) reject(key, "a number above 0");
    return value.get<double>();
  }

  ClipActivation activation(const char* key) const {
    const json& value = at(key);
    if (value == "quick_gelu") return ClipActivation::kQuickGelu;
    if (value == "gelu") return ClipActivation::kGelu;
    reject(key, "\"quick_gelu\" or \"gelu\"");
  }

  void require_model_type() const {
    constexpr const char* kKey = "model_type";
    if (config_.contains(kKey) && config_[kKey] != "clip_text_model") reject(kKey, "\"clip_text_model\"");
  }

  [[noreturn]] void reject(const char* key, const std::string& allowed) const {
    throw_usage(fmt::format("'{}': '{}' is {}; {} is expected", path_, key, shown(at(key)), allowed));
  }

 private:
  const json& at(const char* key) const {
    const auto found = config_.find(key);
    if (found == config_.end()) throw_usage(fmt::format("'{}' has no '{}'", path_, key));
    return *found;
  }

  std::string path_;
  json config_;
};

}  // namespace

ClipTextConfig parse_clip_text_config(std::string_view json, const std::string& path) {
  const ConfigReader reader(json, path);
  reader.require_model_type();
  ClipTextConfig config;
  config.vocab_size = reader.size("vocab_size");
  config.hidden_size = reader.size("hidden_size");
  config.intermediate_size = reader.size("intermediate_size");
  config.num_hidden_layers = reader.size("num_hidden_layers", 1000);
  config.num_attention_heads = reader.size("num_attention_heads");
  config.max_position_embeddings = reader.size("max_position_embeddings");
  config.hidden_act = reader.activation("hidden_act");
  config.layer_norm_eps = reader.positive("layer_norm_eps");
  config.projection_dim = reader.size_or("projection_dim", config.projection_dim);
  config.eos_token_id = reader.id_or("eos_token_id", config.eos_token_id);
  if (config.hidden_size % config.num_attention_heads != 0) {
    reader.reject("num_attention_heads", fmt::format("a divisor of hidden_size ({})", config.hidden_size));
  }
  if (config.max_position_embeddings < Tokenizer::kLength) {
    reader.reject("max_position_embeddings", fmt::format("at least {}", Tokenizer::kLength));
  }
  return config;
}

}  // namespace leco
