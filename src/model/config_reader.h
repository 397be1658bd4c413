// Reads a config.json of a Diffusers folder key by key; whatever a model cannot compute is a usage error that
// names the file, the key and its value. Private to this folder.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <type_traits>
#include <vector>

#include "core/error.h"
#include "io/json_object.h"

namespace leco {

class ConfigReader {
 public:
  using json = nlohmann::json;

  // `model` is what messages call the reader's model: "U-Net".
  ConfigReader(const std::string& text, std::string origin, std::string model)
      : origin_(std::move(origin)), model_(std::move(model)), config_(parse_json_object(text, origin_)) {}

  [[noreturn]] void refuse(const std::string& key, const std::string& wanted) const {
    throw_usage(fmt::format("{}: '{}' is {}, this {} needs {}", origin_, key,
                            config_.contains(key) ? shown(config_[key]) : "missing", model_, wanted));
  }

  template <class T>
  T get(const std::string& key, const char* wanted) const {
    try {
      if (is_exact<T>(config_.at(key))) return config_.at(key).get<T>();
    } catch (const json::exception&) {
      // As where the value is of another type: refused.
    }
    refuse(key, wanted);
  }

  // A size of a layer or a number of things, from 1. The bound is far above any model and keeps products of
  // four sizes inside 64 bits.
  int64_t size(const std::string& key, int64_t most = kMaxSize) const {
    const auto value = get<int64_t>(key, "a whole number");
    if (value < 1 || value > most) refuse(key, fmt::format("a whole number from 1 to {}", most));
    return value;
  }

  std::vector<int64_t> sizes(const std::string& key) const {
    auto values = get<std::vector<int64_t>>(key, "a list of whole numbers");
    const auto is_size = [](int64_t value) { return value >= 1 && value <= kMaxSize; };
    if (values.empty() || values.size() > kMaxLevels || !std::ranges::all_of(values, is_size))
      refuse(key, fmt::format("1 to {} whole numbers from 1 to {}", kMaxLevels, kMaxSize));
    return values;
  }

  // The default where the key is missing or null.
  template <class T>
  T get_or(const std::string& key, const char* wanted, T otherwise) const {
    return has(key) ? get<T>(key, wanted) : otherwise;
  }

  // A key that, where present, must have one of these values.
  void expect(const std::string& key, const std::vector<json>& values) const {
    if (!config_.contains(key) || std::ranges::find(values, config_[key]) != values.end()) return;
    std::string wanted;
    for (const json& value : values) wanted += (wanted.empty() ? "" : " or ") + value.dump();
    refuse(key, wanted);
  }

  // False where the key is missing or null.
  bool flag(const std::string& key) const { return get_or(key, "true or false", false); }

  // One number for all levels, or a list of one a level.
  std::vector<int64_t> per_level(const std::string& key, size_t levels) const {
    const json& value = config_.contains(key) ? config_[key] : json();
    if (value.is_number()) return std::vector<int64_t>(levels, size(key));
    auto list = sizes(key);
    if (list.size() != levels) refuse(key, fmt::format("{} entries", levels));
    return list;
  }

  bool has(const std::string& key) const { return config_.contains(key) && !config_[key].is_null(); }

  static constexpr int64_t kMaxLayers = 100;  // that follow each other

 private:
  static constexpr int64_t kMaxSize = 1 << 15;
  static constexpr size_t kMaxLevels = 16;

  // nlohmann's json gives 4 for 4.5, and any number for one of more than 64 bits.
  template <class T>
  static bool is_exact(const json& value) {
    [[maybe_unused]] const auto is_whole = [](const json& each) {
      return each.is_number_integer() && (!each.is_number_unsigned() || each.get<uint64_t>() <= INT64_MAX);
    };
    if constexpr (std::is_same_v<T, int64_t>) return is_whole(value);
    if constexpr (std::is_same_v<T, std::vector<int64_t>>)
      return value.is_array() && std::ranges::all_of(value, is_whole);
    return true;
  }

  std::string origin_, model_;
  json config_;
};

}  // namespace leco
