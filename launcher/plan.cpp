// `leco plan`: what a training would do, without doing it.
#include <fmt/format.h>

#include <algorithm>

#include "config/prompt_file.h"
#include "core/log.h"
#include "launcher/flags/flag_table.h"
#include "launcher/model/open_model.h"
#include "launcher/resolve.h"
#include "launcher/subcommand.h"
#include "lora/lora_file.h"
#include "lora/open_lora.h"
#include "report/plan_report.h"
#include "train/shared_files.h"

namespace leco {
namespace {

constexpr uint64_t kExampleSeed = 0;
constexpr int64_t kShownSteps = 2;

UNetSizes sizes_of(const UNetConfig& config) {
  UNetSizes sizes{.channels = config.block_out_channels,
                  .middle_depth = config.transformer_depth.back(),
                  .layers_per_block = config.layers_per_block};
  for (size_t level = 0; level < config.levels(); ++level)
    sizes.transformer_depth.push_back(config.down_attends[level] ? config.transformer_depth[level] : 0);
  return sizes;
}

// Names and shapes of a model's weights are read and checked, the weights themselves are not.
void add_model(PlanReport& report, const TrainSettings& settings, FileSource& files) {
  const std::unique_ptr<BaseModel> model = open_model(settings, files);
  for (const std::string& notice : model_notices(settings, report.pairs, *model)) log::notice(notice);
  const std::unique_ptr<UNet> unet = model->load_unet({.device = torch::kMeta});
  LoraNetwork network(*unet, lora_layers(settings, *unet, files), kExampleSeed);
  if (!settings.network_weights.empty()) load_lora(network, open_lora(files, settings.network_weights));
  report.modules.emplace();
  for (const auto& module : network.modules()) {
    report.modules->push_back(module->site().layer->name());
    report.ranks_of_modules.push_back(module->site().rank);
  }

  ModelSizes sizes{.unet = sizes_of(model->unet_config()),
                   .lora_parameters = network.weights().numel(),
                   .optimizer_bytes = optimizer_state_bytes(settings.optimizer, network.segments()),
                   .number_bytes = settings.mixed_precision == MixedPrecision::kNo ? 4 : 2,
                   .recomputes_blocks = settings.gradient_checkpointing};
  sizes.unet.adapts_convolutions = std::ranges::any_of(
      *report.modules, [](const std::string& name) { return name.find(".resnets.") != std::string::npos; });
  sizes.unet.parameters = model->open_unet(Contents::kOutline).numbers_left();
  for (const TextEncoderSource& encoder : model->open_text_encoders(Contents::kOutline))
    sizes.text_parameters += encoder.weights.numbers_left();
  report.memory = estimate_memory(sizes, report.plan, report.pairs, report.ranks);
}

void warn_of_waiting(const PlanReport& report) {
  const auto packs = std::ssize(report.first_steps.front().packs);
  if (packs < report.ranks)
    log::notice(fmt::format(
        "a step has {} to share out, fewer than the {} ranks: {} have nothing to do; raise "
        "--pairs_per_step{}",
        packs == 1 ? "one pack of items" : fmt::format("{} packs of items", packs), report.ranks,
        report.ranks - packs, report.plan.items_per_pass > 1 ? " or lower --items_per_pass" : ""));
  else if (report.work.efficiency < 0.8)
    log::notice(fmt::format(
        "the ranks work {:.0f} % of the time: {} items a step share more evenly over {} ranks "
        "(--pairs_per_step)",
        100 * report.work.efficiency,
        packs % report.ranks == 0 ? "several times as many" : fmt::format("a multiple of {}", report.ranks),
        report.ranks));
}

}  // namespace

ExitStatus plan_command(World& world, std::span<const std::string> arguments) {
  if (world.rank() != 0) return ExitStatus::kDone;  // nothing here needs the others
  LocalFileSource files;
  const ParsedPlan parsed = parse_plan_flags(arguments, reader_of(files));
  if (parsed.help) return show(world, plan_help());
  if (parsed.output) {
    write_config(*parsed.output);
    return show(world, parsed.output->path + "\n");
  }
  log::configure(console_of(parsed.settings));
  const PromptFile prompts = load_prompt_file(parsed.settings.prompts_file, reader_of(files));
  for (const auto* notices : {&parsed.notices, &prompts.notices})
    for (const std::string& notice : *notices) log::notice(notice);

  const int ranks = static_cast<int>(parsed.ranks.value_or(world.size()));
  TrainSettings settings = parsed.settings;
  settings.pairs_per_step = settings.pairs_per_step.value_or(settings.gradient_accumulation_steps * ranks);
  PlanReport report{.pairs = prompts.pairs,
                    .settings = effective_settings(settings),
                    .steps = settings.max_train_steps,
                    .ranks = ranks,
                    .seed_is_given = settings.seed.has_value()};
  settings.seed = settings.seed.value_or(kExampleSeed);
  report.plan = plan_settings(settings, ranks);
  report.work = estimate_work(report.plan, prompts.pairs, report.steps, ranks);
  for (int64_t step = 0; step < std::min(kShownSteps, report.steps); ++step)
    report.first_steps.push_back(plan_step(report.plan, prompts.pairs, step, ranks));
  if (!settings.pretrained_model_name_or_path.empty()) add_model(report, settings, files);
  warn_of_waiting(report);
  return show(world, parsed.json ? plan_json(report) : plan_text(report));
}

}  // namespace leco
