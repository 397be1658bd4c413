#include "launcher/sample_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/sample_prompts.h"
#include "core/error.h"
#include "sample/prompt_rows.h"

namespace leco {
namespace {

void check_scales(const SamplePrompt& line, bool has_lora) {
  if (!has_lora && !line.multipliers.empty())
    throw_usage(
        fmt::format("{}: the scales are a LoRA's strengths: give --network_weights=… as well, or leave "
                    "them out",
                    line.place));
}

// What the line says that the flags do not.
std::string differences(const SamplePrompt& line) {
  std::vector<std::string> parts;
  if (line.negative_prompt) parts.push_back(fmt::format("without “{}”", *line.negative_prompt));
  if (line.seed) parts.push_back(fmt::format("seed {}", *line.seed));
  if (line.sample_steps) parts.push_back(fmt::format("{} steps", *line.sample_steps));
  if (line.guidance_scale) parts.push_back(fmt::format("guidance {}", *line.guidance_scale));
  if (line.sample_sampler) parts.push_back(*line.sample_sampler);
  return parts.empty() ? "" : fmt::format(" ({})", fmt::join(parts, ", "));
}

DrawingRow defaults_of(const SampleSettings& settings) {
  return {.negative = settings.negative_prompt,
          .height = *settings.height,
          .width = *settings.width,
          .scales = settings.scales,
          .seed = *settings.seed,
          .steps = settings.sample_steps,
          .guidance = settings.guidance_scale,
          .sampler = settings.sample_sampler,
          .start_noise = settings.start_noise};
}

}  // namespace

std::vector<SampleRow> rows_of(const SampleSettings& settings, const ReadFile& read) {
  std::vector<SamplePrompt> lines;
  for (const std::string& prompt : settings.prompts) lines.push_back({.prompt = prompt});
  if (!settings.sample_prompts.empty()) lines = load_sample_prompts(settings.sample_prompts, read);
  const std::vector<DrawingRow> drawings = rows_of(lines, defaults_of(settings));
  std::vector<SampleRow> rows;
  for (size_t i = 0; i < lines.size(); ++i) {
    check_scales(lines[i], settings.has_lora());
    SampleRow row{.drawing = drawings[i], .label = lines[i].prompt + differences(lines[i])};
    for (int64_t image = 0; image < settings.images_per_prompt; ++image) {
      row.drawing.item = std::ssize(rows);
      rows.push_back(row);
    }
  }
  return rows;
}

std::vector<std::vector<size_t>> grids_of(const std::vector<SampleRow>& rows) {
  std::vector<std::vector<size_t>> grids;
  for (size_t i = 0; i < rows.size(); ++i) {
    const auto fits = [&](const std::vector<size_t>& grid) {
      const DrawingRow &first = rows[grid[0]].drawing, &row = rows[i].drawing;
      return first.height == row.height && first.width == row.width && first.scales == row.scales;
    };
    const auto found = std::ranges::find_if(grids, fits);
    if (found != grids.end())
      found->push_back(i);
    else
      grids.push_back({i});
  }
  return grids;
}

std::string grid_path(const std::string& output, size_t grid, size_t grids) {
  if (grids == 1) return output;
  return fmt::format("{}-{}.png", output.substr(0, output.rfind('.')), grid + 1);
}

}  // namespace leco
