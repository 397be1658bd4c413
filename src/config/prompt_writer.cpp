#include "config/prompt_writer.h"

#include <fmt/format.h>

#include "config/toml_text.h"

namespace leco {
namespace {

struct Line {
  std::string key, value;
};

std::string truth(bool value) {
  return value ? "true" : "false";
}

// What pairs of one file mostly share.
std::vector<Line> common_lines(const PromptPair& pair) {
  return {{"action", pair.action == Action::kErase ? "\"erase\"" : "\"enhance\""},
          {"guidance_scale", toml_number(pair.guidance_scale)},
          {"resolution", fmt::format("[{}, {}]", pair.resolution.height, pair.resolution.width)},
          {"dynamic_resolution", truth(pair.dynamic_resolution)},
          {"dynamic_crops", truth(pair.dynamic_crops)},
          {"batch_size", std::to_string(pair.batch_size)},
          {"multiplier", toml_number(pair.multiplier)},
          {"weight", toml_number(pair.weight)}};
}

std::string written(const Line& line) {
  return fmt::format("{} = {}\n", line.key, line.value);
}

}  // namespace

std::string prompt_file_text(const std::vector<PromptPair>& pairs, const std::string& recorded_as) {
  std::string text = "recorded_as = " + toml_string(recorded_as) + "\n";
  const std::vector<Line> defaults = common_lines(pairs.front());
  for (const Line& line : defaults) text += written(line);
  for (const PromptPair& pair : pairs) {
    text += "\n[[prompts]]\n";
    for (const Line& line : {Line{"target", pair.target}, Line{"positive", pair.positive},
                             Line{"unconditional", pair.unconditional}, Line{"neutral", pair.neutral}})
      text += written({line.key, toml_string(line.value)});
    const std::vector<Line> lines = common_lines(pair);
    for (size_t i = 0; i < lines.size(); ++i)
      if (lines[i].value != defaults[i].value) text += written(lines[i]);
  }
  return text;
}

}  // namespace leco
