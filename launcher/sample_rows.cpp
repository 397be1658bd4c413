#include "launcher/sample_rows.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/sample_prompts.h"
#include "core/error.h"

namespace leco {
namespace {

SamplerKind sampler_of(const SamplePrompt& line, SamplerKind by_default) {
  if (!line.sample_sampler) return by_default;
  std::vector<std::string> names;
  for (const auto& [name, kind] : sampler_names()) {
    if (name == *line.sample_sampler) return kind;
    names.push_back(name);
  }
  throw_usage(fmt::format("{}: the sampler '{}' is none of {}", line.place, *line.sample_sampler,
                          fmt::join(names, ", ")));
}

void check(const SamplePrompt& line, const DrawingRow& row, bool has_lora) {
  if (const int64_t most = most_sampler_steps(row.sampler, kSamplingOffset); row.steps > most)
    throw_usage(fmt::format("{}: {} steps, expected at most {} with {}", line.place, row.steps, most,
                            sampler_name(row.sampler)));
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

SampleRow row_of(const SamplePrompt& line, const SampleSettings& settings) {
  SampleRow row{.drawing = {.prompt = line.prompt,
                            .negative = line.negative_prompt.value_or(settings.negative_prompt),
                            .height = line.height.value_or(*settings.height),
                            .width = line.width.value_or(*settings.width),
                            .scales = line.multipliers.empty() ? settings.scales : line.multipliers,
                            .seed = line.seed.value_or(*settings.seed),
                            .steps = line.sample_steps.value_or(settings.sample_steps),
                            .guidance = line.guidance_scale.value_or(settings.guidance_scale),
                            .sampler = sampler_of(line, settings.sample_sampler),
                            .start_noise = settings.start_noise},
                .label = line.prompt + differences(line)};
  check(line, row.drawing, settings.has_lora());
  return row;
}

}  // namespace

std::vector<SampleRow> rows_of(const SampleSettings& settings, const ReadFile& read) {
  std::vector<SamplePrompt> lines;
  for (const std::string& prompt : settings.prompts) lines.push_back({.prompt = prompt});
  if (!settings.sample_prompts.empty()) lines = load_sample_prompts(settings.sample_prompts, read);
  std::vector<SampleRow> rows;
  for (const SamplePrompt& line : lines) {
    SampleRow row = row_of(line, settings);
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
