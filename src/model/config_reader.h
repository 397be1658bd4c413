// Reads a config.json of a Diffusers folder key by key; whatever a model cannot compute is a usage error that
// names the file, the key and its value. Private to this folder.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "core/error.h"

namespace leco {

class ConfigReader {
 public:
  using json = nlohmann::json;

  // `model` is what messages call the reader's model: "U-Net".
  ConfigReader(const std::string& text, std::string origin, std::string model)
      : origin_(std::move(origin)), model_(std::move(model)) {
    config_ = json::parse(text, nullptr, /*allow_exceptions=*/false);
    if (!config_.is_object()) throw_usage(origin_ + ": not a JSON object");
  }

  [[noreturn]] void refuse(const std::string& key, const std::string& wanted) const {
    throw_usage(fmt::format("{}: '{}' is {}, this {} needs {}", origin_, key,
                            config_.contains(key) ? config_[key].dump() : "missing", model_, wanted));
  }

  template <class T>
  T get(const std::string& key, const char* wanted) const {
    try {
      return config_.at(key).get<T>();
    } catch (const json::exception&) {
      refuse(key, wanted);
    }
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
    if (value.is_number_integer()) return std::vector<int64_t>(levels, value.get<int64_t>());
    auto list = get<std::vector<int64_t>>(key, "a number or a list of numbers");
    if (list.size() != levels) refuse(key, fmt::format("{} entries", levels));
    return list;
  }

  bool has(const std::string& key) const { return config_.contains(key) && !config_[key].is_null(); }

 private:
  std::string origin_, model_;
  json config_;
};

}  // namespace leco
