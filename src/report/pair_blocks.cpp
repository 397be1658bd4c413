#include "report/pair_blocks.h"

#include <fmt/format.h>

namespace leco {
namespace {

using nlohmann::ordered_json;

std::string field(const ordered_json& pair, const char* key) {
  if (!pair.is_object() || !pair.contains(key)) return "–";
  const ordered_json& value = pair[key];
  return value.is_string() ? value.get<std::string>() : value.dump();
}

std::string size_of(const ordered_json& pair) {
  const ordered_json size = pair.is_object() ? pair.value("resolution", ordered_json()) : ordered_json();
  if (!size.is_array() || size.size() != 2) return field(pair, "resolution");
  const std::string pixels =
      fmt::format("{}×{}{}", size[0].dump(), size[1].dump(), size[0] == size[1] ? "" : " (height × width)");
  return field(pair, "dynamic_resolution") == "true" ? "drawn from half of it up to " + pixels : pixels;
}

std::string head(const ordered_json& pair, size_t number) {
  std::string line = fmt::format(
      "\n  pair {}: {}, guidance_scale {}, resolution {}, batch_size {}, multiplier {}, weight {}", number,
      field(pair, "action"), field(pair, "guidance_scale"), size_of(pair), field(pair, "batch_size"),
      field(pair, "multiplier"), field(pair, "weight"));
  return field(pair, "dynamic_crops") == "true" ? line + ", dynamic_crops" : line;
}

}  // namespace

std::string pair_blocks(const ordered_json& pairs) {
  std::string text;
  for (size_t i = 0; i < pairs.size(); ++i) {
    text += head(pairs[i], i);
    for (const char* prompt : {"target", "positive", "unconditional", "neutral"})
      text += fmt::format("\n    {:<14} {}", prompt, ordered_json(field(pairs[i], prompt)).dump());
  }
  return text;
}

}  // namespace leco
