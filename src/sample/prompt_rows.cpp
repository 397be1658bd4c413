#include "sample/prompt_rows.h"

#include <fmt/format.h>

#include <algorithm>

#include "core/error.h"

namespace leco {
namespace {

SamplerKind sampler_of(const SamplePrompt& prompt) {
  std::string known;
  for (const auto& [name, kind] : sampler_names()) {
    if (name == *prompt.sample_sampler) return kind;
    known += (known.empty() ? "" : ", ") + name;
  }
  throw_usage(fmt::format("{}: there is no sampler '{}' here; there are {}", prompt.place,
                          *prompt.sample_sampler, known));
}

}  // namespace

std::vector<DrawingRow> rows_of(const std::vector<SamplePrompt>& prompts, const DrawingRow& defaults) {
  std::vector<DrawingRow> rows;
  for (const SamplePrompt& prompt : prompts) {
    DrawingRow row = defaults;
    row.item = std::ssize(rows);
    row.prompt = prompt.prompt;
    row.negative = prompt.negative_prompt.value_or(defaults.negative);
    row.height = prompt.height.value_or(defaults.height);
    row.width = prompt.width.value_or(defaults.width);
    row.seed = prompt.seed.value_or(defaults.seed);
    row.steps = prompt.sample_steps.value_or(defaults.steps);
    row.guidance = prompt.guidance_scale.value_or(defaults.guidance);
    if (prompt.sample_sampler) row.sampler = sampler_of(prompt);
    if (!prompt.multipliers.empty()) row.scales = prompt.multipliers;
    if (const int64_t most = most_sampler_steps(row.sampler, kSamplingOffset); row.steps > most)
      throw_usage(fmt::format("{}: {} steps are more than {} can make: {}", prompt.place, row.steps,
                              sampler_name(row.sampler), most));
    rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace leco
