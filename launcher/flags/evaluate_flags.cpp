#include "launcher/flags/evaluate_flags.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "launcher/flags/drawing_flags.h"
#include "launcher/flags/flag_groups.h"
#include "launcher/flags/flag_help.h"

namespace leco {
namespace {

constexpr int64_t kMostSamples = 10'000;
constexpr int64_t kMostImages = 100;

// What measuring asks of a list of scales, in the order in which the report shows them.
Form measured_scales_form(std::vector<double>& target) {
  Form form = scales_form(target);
  form.set = [&target, set = form.set](const Given& given) {
    std::string line = set(given);
    for (double& scale : target) scale += 0.0;  // −0 is 0
    std::ranges::sort(target);
    if (std::ranges::adjacent_find(target) != target.end()) refuse_value(given, "each number once");
    if (std::ranges::find(target, 0.0) == target.end())
      refuse_value(given, "a list that holds 0, which all others are compared with");
    if (target.size() < 2) refuse_value(given, "0 and at least one other number");
    return line;
  };
  return form;
}

Form preserve_form(std::vector<std::string>& target) {
  Form form = texts_form(target, "TEXT");
  form.set = [&target, set = form.set](const Given& given) {
    std::string line = set(given);
    for (size_t i = 0; i < target.size(); ++i)
      if (std::find(target.begin(), target.begin() + static_cast<std::ptrdiff_t>(i), target[i]) !=
          target.begin() + static_cast<std::ptrdiff_t>(i))
        refuse_value(given, "each prompt once");
    return line;
  };
  return form;
}

void add_measure_rows(EvaluateSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "What is measured");
  group.works("network_weights", text_form(settings.model.network_weights, "FILE"),
              "required: the LoRA file");
  group.works("prompts_file", text_form(settings.model.prompts_file, "FILE"),
              "required: the prompt file it was trained with, or another; its sliders and pairs are the "
              "directions that are measured");
  group.works("scales", measured_scales_form(settings.scales), "the LoRA's strengths; 0 must be among them");
  group.works("samples", integer_form(settings.samples, {1, kMostSamples}),
              "points of the denoising at which predictions are compared, from almost noise to almost clean");
  group.works("seed", seed_form(settings.seed), "all noise follows from it");
  group.works("preserve", preserve_form(settings.preserve),
              "prompts that should stay as they are; several, or the flag several times");
}

void add_picture_rows(EvaluateSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Pictures");
  group.works("images_per_prompt", integer_form(settings.images_per_prompt, {1, kMostImages}),
              "rows of each target, with other noise");
  group.works("negative_prompt", text_form(settings.negative_prompt, "TEXT"),
              "what guidance leads away from");
  group.works("sample_steps", integer_form(settings.sample_steps, {1, 999}), "denoising steps");
  group.works("guidance_scale", number_form(settings.guidance_scale, {}),
              "classifier-free guidance; 1 is off");
  group.works("sample_sampler", choice_form(settings.sample_sampler, sampler_names()), "the sampler");
  group.works("height", side_form(settings.height, "as the prompt file says"), "pixels, a multiple of 8");
  group.works("width", side_form(settings.width, "as the prompt file says"), "pixels, a multiple of 8");
  group.works(
      "clip_model", text_form(settings.clip_model, "DIR"),
      "a CLIP model as transformers saves it (CLIPModel and CLIPProcessor): measures also how well the "
      "pictures fit the prompts");
}

void add_output_rows(EvaluateSettings& settings, std::vector<Flag>& table) {
  FlagGroup group(table, "Output and the machine");
  group.works_aside("output", text_form(settings.output, "DIR"),
                    "required: the folder for report.json and report.html");
  group.works_aside("annotate", switch_form(settings.annotate),
                    "writes the recommended range into the LoRA file's metadata, as leco_recommended_range");
  add_machine(group, settings.model);
  group.works_aside("help", switch_form(settings.help), "prints this list (also -h)");
  table.back().is_setting = false;
}

std::vector<Flag> evaluate_flags(EvaluateSettings& settings) {
  std::vector<Flag> table;
  FlagGroup model(table, "Model");
  add_drawn_model(model, settings.model, settings.vae);
  add_measure_rows(settings, table);
  add_picture_rows(settings, table);
  add_output_rows(settings, table);
  return table;
}

// What a sweep may say of the evaluation of its runs; the rest follows from each run.
std::vector<Flag> sweep_evaluation_flags(EvaluateSettings& settings) {
  std::vector<Flag> table;
  add_measure_rows(settings, table);
  add_picture_rows(settings, table);
  std::erase_if(
      table, [](const Flag& flag) { return flag.name == "network_weights" || flag.name == "prompts_file"; });
  std::ranges::find(table, "preserve", &Flag::name)->name = "prompts";
  return table;
}

void validate(const EvaluateSettings& settings) {
  require_flag(!settings.model.pretrained_model_name_or_path.empty(), "pretrained_model_name_or_path",
               "the model that the LoRA is for");
  require_flag(!settings.model.network_weights.empty(), "network_weights", "the LoRA file");
  require_flag(!settings.model.prompts_file.empty(), "prompts_file",
               "the prompts whose direction is measured");
  require_flag(!settings.output.empty(), "output", "the folder for the report");
  check_sample_steps(settings.sample_steps, settings.sample_sampler);
}

}  // namespace

NamedValues effective_settings(const EvaluateSettings& settings) {
  EvaluateSettings copy = settings;
  NamedValues values;
  for (const Flag& flag : evaluate_flags(copy))
    if (flag.is_setting && flag.determines_result) values.emplace_back(flag.name, flag.form.show());
  return values;
}

EvaluateSettings parse_evaluate_flags(std::span<const std::string> arguments) {
  EvaluateSettings settings;
  settings.help = !apply_drawing_flags(evaluate_flags(settings), arguments);
  if (!settings.help) validate(settings);
  return settings;
}

EvaluateSettings parse_sweep_evaluation(std::span<const Given> entries) {
  EvaluateSettings settings;
  settings.thumbnail = true;
  const std::vector<Flag> table = sweep_evaluation_flags(settings);
  std::vector<Given> given;
  for (const Given& entry : entries) {
    const Flag* flag = find_flag(table, entry.name);
    if (!flag)
      throw_usage(fmt::format("{}: unknown key '{}' in 'evaluate'; did you mean '{}'?", entry.place,
                              one_line(entry.name), suggest_flag(table, entry.name)));
    given.push_back(entry);
    given.back().kind = flag->form.kind;
    if (flag->form.kind == ValueKind::kWords) continue;
    if (entry.name == "scales") given.back().words = {fmt::format("{}", fmt::join(entry.words, ","))};
    if (given.back().words.size() != 1) refuse_value(entry, "one value");
  }
  apply_flags(table, given);
  check_sample_steps(settings.sample_steps, settings.sample_sampler);
  return settings;
}

EvaluateSettings evaluation_of_run(const EvaluateSettings& common, const TrainSettings& run,
                                   const std::string& lora, const std::string& output) {
  EvaluateSettings settings = common;
  settings.model.pretrained_model_name_or_path = run.pretrained_model_name_or_path;
  settings.model.v2 = run.v2;
  settings.model.v_parameterization = run.v_parameterization;
  settings.model.clip_skip = run.clip_skip;
  settings.model.max_token_length = run.max_token_length;
  settings.model.tokenizer_cache_dir = run.tokenizer_cache_dir;
  settings.model.prompts_file = run.prompts_file;
  settings.model.device = run.device;
  settings.model.threads = run.threads;
  settings.model.network_weights = lora;
  settings.vae = run.preview.vae;
  settings.output = output;
  return settings;
}

std::vector<Flag> listed_evaluate_flags() {
  static EvaluateSettings defaults;
  return evaluate_flags(defaults);
}

std::string evaluate_help() {
  return "leco evaluate: measures what a LoRA does, and writes a report of it, as\n"
         "report.json and report.html.\n"
         "Usage: leco evaluate --pretrained_model_name_or_path=MODEL \\\n"
         "         --network_weights=LORA --prompts_file=FILE --output=DIR [flags]\n"
         "       mpirun -n 4 leco evaluate …    (points and pictures are shared out;\n"
         "                                       the numbers are the same)\n"
         "docs/evaluate.md says what each number means and how to read it.\n" +
         flags_as_help(listed_evaluate_flags());
}

}  // namespace leco
