#include "launcher/flags/sample_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "core/error.h"
#include "launcher/flags/drawing_flags.h"
#include "launcher/flags/flag_help.h"

namespace leco {
namespace {

constexpr int64_t kMostImages = 10'000;

Form numbers_form(std::vector<double>& target) {
  Form form;
  form.kind = ValueKind::kWords;
  form.metavar = "X …";
  form.set = [&target](const Given& given) {
    target.clear();
    for (const std::string& word : given.words) target.push_back(number_in(given, word, {}));
    return std::string();
  };
  form.show = [&target] { return fmt::format("{}", fmt::join(target, " ")); };
  return form;
}

void add_model_rows(SampleSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Model and LoRA");
  add_drawn_model(group, settings.model, settings.vae);
  group.works("network_weights", texts_form(settings.network_weights, "FILE"),
              "LoRA files to draw with; several, or the flag several times, act together");
  group.works("network_mul", numbers_form(settings.network_mul),
              "the strength of each file, which the column's scale multiplies; all 1 by default");
}

void add_picture_rows(SampleSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Pictures");
  const std::string side = "512; SD 2.x with v-prediction 768, SDXL 1024";
  group.works("prompt", texts_form(settings.prompts, "TEXT"),
              "a row each; several, or the flag several times");
  group.works(
      "sample_prompts", text_form(settings.sample_prompts, "FILE"),
      "instead: a .txt, .toml or .json of prompts with sd-scripts' options --n --w --h --d --s --l --ss, "
      "and --m for the scales; these flags are the defaults");
  group.works("negative_prompt", text_form(settings.negative_prompt, "TEXT"),
              "what guidance leads away from");
  group.works("scales", scales_form(settings.scales),
              "the LoRA's strengths, a column each; without --network_weights there is one column");
  group.works("images_per_prompt", integer_form(settings.images_per_prompt, {1, kMostImages}),
              "rows of each prompt, with other noise");
  group.works("seed", seed_form(settings.seed), "the noise follows from it and the row");
  group.works("sample_steps", integer_form(settings.sample_steps, {1, 999}), "denoising steps");
  group.works("guidance_scale", number_form(settings.guidance_scale, {}),
              "classifier-free guidance; 1 is off");
  group.works("sample_sampler", choice_form(settings.sample_sampler, sampler_names()), "the sampler");
  group.works("height", side_form(settings.height, side), "pixels, a multiple of 8");
  group.works("width", side_form(settings.width, side), "pixels, a multiple of 8");
  group.works("start_noise", integer_form(settings.start_noise, {0, 1000}),
              "above this timestep the LoRA is off, so that the composition stays; 700 to 900 is usual");
}

void add_output_rows(SampleSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Output and the machine");
  group.works_aside("output", text_form(settings.output, "FILE.png"), "required: the grid");
  group.works_aside("latents", text_form(settings.latents, "FILE.safetensors"),
                    "also writes the latents before the VAE, (rows × columns, 4, h, w)");
  add_machine(group, settings.model);
  group.works_aside("help", switch_form(settings.help), "prints this list (also -h)");
  table.back().is_setting = false;
}

std::vector<Flag> sample_flags(SampleSettings& settings) {
  std::vector<Flag> table;
  add_model_rows(settings, table);
  add_picture_rows(settings, table);
  add_output_rows(settings, table);
  return table;
}

void validate(const SampleSettings& settings, bool are_scales_given) {
  require_flag(!settings.model.pretrained_model_name_or_path.empty(), "pretrained_model_name_or_path",
               "the model to draw with");
  require_flag(!settings.prompts.empty() || !settings.sample_prompts.empty(), "prompt", "what to draw");
  require_flag(!settings.output.empty(), "output", "the picture's file");
  if (!settings.prompts.empty() && !settings.sample_prompts.empty())
    throw_usage("--prompt and --sample_prompts both say what to draw; give one of them");
  if (!settings.output.ends_with(".png"))
    throw_usage(fmt::format("--output={}: expected a name that ends in .png", settings.output));
  const size_t files = settings.network_weights.size(), strengths = settings.network_mul.size();
  if (strengths != 0 && strengths != files)
    throw_usage(
        fmt::format("--network_mul: expected as many numbers as --network_weights has files, {}, not {}",
                    files, strengths));
  if (!settings.has_lora() && are_scales_given)
    throw_usage("--scales are a LoRA's strengths: give --network_weights=… as well, or leave them out");
  check_sample_steps(settings.sample_steps, settings.sample_sampler);
}

}  // namespace

SampleSettings parse_sample_flags(std::span<const std::string> arguments) {
  SampleSettings settings;
  const auto given = apply_drawing_flags(sample_flags(settings), arguments);
  settings.help = !given;
  if (settings.help) return settings;
  validate(settings, find_given(*given, "scales") != nullptr);
  if (!settings.has_lora()) settings.scales = {0};
  return settings;
}

std::vector<Flag> listed_sample_flags() {
  static SampleSettings defaults;
  return sample_flags(defaults);
}

std::string sample_help() {
  return "leco sample: draws prompts at several strengths of a LoRA, as one labelled\n"
         "picture.\n"
         "Usage: leco sample --pretrained_model_name_or_path=MODEL \\\n"
         "         --network_weights=LORA --prompt=TEXT --output=FILE.png [flags]\n"
         "       mpirun -n 4 leco sample …  (rows are shared out; the picture is the same)\n"
         "A row for each prompt and image, a column for each scale, the same noise along\n"
         "a row.\n" +
         flags_as_help(listed_sample_flags());
}

NamedValues effective_settings(const SampleSettings& settings) {
  SampleSettings copy = settings;
  NamedValues values;
  for (const Flag& flag : sample_flags(copy))
    if (flag.is_setting) values.emplace_back(flag.name, flag.form.show());
  return values;
}

}  // namespace leco
