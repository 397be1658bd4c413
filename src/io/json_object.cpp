#include "io/json_object.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "core/error.h"

namespace leco {

using nlohmann::json;

json parse_json_object(std::string_view text, const std::string& origin) {
  constexpr size_t kMaxBytes = 64 << 20;
  constexpr int kMaxDepth = 32;
  if (text.size() > kMaxBytes) {
    throw_usage(
        fmt::format("'{}' has {} bytes, a JSON text of at most {} is read", origin, text.size(), kMaxBytes));
  }
  const auto check_depth = [&](int depth, json::parse_event_t, const json&) {
    if (depth > kMaxDepth) throw_usage(fmt::format("'{}' is nested deeper than {}", origin, kMaxDepth));
    return true;
  };
  json parsed = json::parse(text, check_depth, /*allow_exceptions=*/false);
  if (!parsed.is_object()) throw_usage(fmt::format("'{}' is not a JSON object", origin));
  return parsed;
}

std::string shown(const json& value) {
  constexpr size_t kShown = 200;
  std::string text = value.dump();
  if (text.size() <= kShown) return text;
  size_t end = kShown;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;  // not inside a character
  return text.substr(0, end) + "…";
}

}  // namespace leco
