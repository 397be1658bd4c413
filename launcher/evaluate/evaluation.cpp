#include "launcher/evaluate/evaluation.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "comm/watchdog.h"
#include "config/prompt_file.h"
#include "core/error.h"
#include "core/log.h"
#include "io/mapped_file.h"
#include "io/torch_checkpoint.h"
#include "launcher/evaluate/evaluate_output.h"
#include "launcher/process.h"
#include "launcher/resolve.h"
#include "lora/lora_stack.h"
#include "lora/open_lora.h"
#include "measure/clip_score.h"
#include "measure/lora_effect.h"
#include "sample/drawing.h"
#include "sample/shared_rows.h"
#include "train/shared_files.h"

namespace leco {
namespace {

using std::chrono::hours;

struct EvaluateJob {
  EvaluateSettings settings;  // nothing is left open
  ModelParts& model;
  torch::Device device;
  std::vector<PromptDirection> directions;
  std::vector<DrawingRow> rows = {};
  int64_t target_rows = 0;  // the first of them; those of preserve prompts follow

  LoraEffect::Request request() const {
    return {.directions = directions,
            .preserve = settings.preserve,
            .scales = settings.scales,
            .samples = settings.samples,
            .seed = *settings.seed};
  }
};

// A pair whose ends are one prompt has no direction.
std::vector<PromptDirection> measurable(const PromptFile& prompts, const std::string& path) {
  std::vector<PromptDirection> directions;
  for (const PromptDirection& direction : prompts.directions)
    if (direction.positive != direction.negative) directions.push_back(direction);
  const size_t left_out = prompts.directions.size() - directions.size();
  if (directions.empty())
    throw_usage(
        fmt::format("'{}' names no direction: of each entry both ends are the same prompt, first '{}'", path,
                    prompts.directions.front().positive));
  if (left_out > 0)
    log::notice(fmt::format("{} of {} directions are left out: both of their ends are the same prompt",
                            left_out, prompts.directions.size()));
  return directions;
}

// A row for each image of each target, then one for each preserve prompt. The item, and with it the noise, is
// the row's place.
void add_rows(EvaluateJob& job) {
  const EvaluateSettings& settings = job.settings;
  const auto add = [&](const std::string& prompt, Resolution size) {
    job.rows.push_back({.prompt = prompt,
                        .negative = settings.negative_prompt,
                        .height = settings.height.value_or(size.height),
                        .width = settings.width.value_or(size.width),
                        .scales = settings.scales,
                        .seed = *settings.seed,
                        .item = std::ssize(job.rows),
                        .steps = settings.sample_steps,
                        .guidance = settings.guidance_scale,
                        .sampler = settings.sample_sampler});
  };
  std::vector<std::string> targets;
  for (const PromptDirection& direction : job.directions) {
    if (std::ranges::find(targets, direction.target) != targets.end()) continue;
    targets.push_back(direction.target);
    for (int64_t image = 0; image < settings.images_per_prompt; ++image)
      add(direction.target, direction.resolution);
  }
  job.target_rows = std::ssize(job.rows);
  for (const std::string& prompt : settings.preserve) add(prompt, job.directions.front().resolution);
}

void check_annotation(const std::string& path) {
  const std::string folder = std::filesystem::canonical(path).parent_path().string();
  if (weight_format(MappedFile(path, "a LoRA").bytes()) != WeightFormat::kSafetensors)
    throw_usage(fmt::format("--annotate: '{}' is no safetensors file, and only those carry metadata", path));
  if (access(folder.c_str(), W_OK | X_OK) != 0)
    throw_usage(fmt::format("--annotate: the folder '{}' cannot be written", folder));
}

// Whatever can be wrong with what the user gave is found here, before weights are read.
EvaluateJob prepare(const EvaluateSettings& given, ModelParts& model, World& world, FileSource& files) {
  const PromptFile prompts = load_prompt_file(given.model.prompts_file, reader_of(files));
  EvaluateJob job{.settings = given,
                  .model = model,
                  .device = device_of_rank(given.model.device, world),
                  .directions = measurable(prompts, given.model.prompts_file)};
  {
    const std::shared_ptr<UNet> outline = model.unet({.device = torch::kMeta});
    LoraStack(*outline).add(open_lora(files, given.model.network_weights));
  }
  model.check_vae(given.vae);
  do_on_reader(world.host(), [&] {
    if (given.annotate) check_annotation(given.model.network_weights);
    if (!given.clip_model.empty()) check_clip_model(given.clip_model);
    prepare_folder("output", given.output);
  });
  c10::impl::VirtualGuardImpl(job.device.type()).setDevice(job.device);
  job.settings.model.seed = given.seed;
  resolve(job.settings.model, world, job.device);
  make_deterministic(static_cast<int>(*job.settings.model.threads));
  for (const auto& notices :
       {prompts.notices, model_notices(job.settings.model, prompts.pairs, model.base())})
    for (const std::string& notice : notices) log::notice(notice);
  add_rows(job);
  return job;
}

// Measures the predictions, then draws. The pictures come to rank 0.
struct Seen {
  std::vector<ScaleMeasures> scales;
  std::vector<std::vector<Picture>> pictures;
};

// Nothing when a rank was asked to leave off.
std::optional<Seen> look(const EvaluateJob& job, World& world, FileSource& files,
                         const std::function<int()>& stop) {
  const LoraEffect::Request request = job.request();
  std::vector<std::string> prompts = LoraEffect::prompts(request);
  const std::vector<std::string> drawn = prompts_of(job.rows);
  prompts.insert(prompts.end(), drawn.begin(), drawn.end());
  const BaseModel& base = job.model.base();
  const PromptEmbeddings embeddings =
      job.model.encode(world.host(), text_settings(job.settings.model, base.family()), prompts, job.device);
  const std::shared_ptr<UNet> unet = job.model.unet({.device = job.device});
  LoraStack lora(*unet);
  lora.add(open_lora(files, job.settings.model.network_weights));
  LoraEffect effect(request, {.model = {*unet, embeddings},
                              .prediction = base.prediction(),
                              .zero_terminal_snr = base.zero_terminal_snr(),
                              .comm = world.host(),
                              .progress = [](const std::string& line) { log::info("measuring " + line); },
                              .stop = stop});
  Seen seen{.scales = effect.measure(), .pictures = {}};
  if (seen.scales.empty()) return std::nullopt;

  log::info(fmt::format("drawing {} pictures", job.rows.size() * job.settings.scales.size()));
  const std::shared_ptr<Vae> vae = job.model.vae(job.device, job.settings.vae);
  SharedRows shared = draw_shared({*unet, embeddings, base.prediction(), base.zero_terminal_snr()}, *vae,
                                  job.rows, world.host(), {.stop = stop});
  if (shared.stopped_by != 0) return std::nullopt;
  seen.pictures = std::move(shared.pictures);
  return seen;
}

}  // namespace

void check_clip_model(const std::string& folder) {
  LocalFileSource local;
  ClipScore(open_clip_folder(local, folder, Contents::kOutline), torch::kMeta);
}

std::optional<std::string> evaluate(const EvaluateSettings& given, ModelParts& model, World& world,
                                    FileSource& files, const std::function<int()>& stop) {
  // Ranks wait for each other's share of the points and of the pictures.
  const CollectiveLimit patience(hours(6));
  const EvaluateJob job = prepare(given, model, world, files);
  std::optional<Seen> seen = look(job, world, files, stop);
  if (!seen) return std::nullopt;
  return do_on_reader(world.host(), [&] {
    const EvaluateOutput output{.settings = job.settings,
                                .model = model.base().description(),
                                .directions = job.directions,
                                .rows = job.rows,
                                .target_rows = job.target_rows};
    return write_evaluation(output, std::move(seen->scales), seen->pictures);
  });
}

}  // namespace leco
