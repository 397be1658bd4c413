// `leco sample`: prompts × strengths of a LoRA, as one labelled picture.
#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <filesystem>

#include "comm/watchdog.h"
#include "core/log.h"
#include "core/version.h"
#include "io/atomic_file.h"
#include "io/safetensors.h"
#include "launcher/model/open_model.h"
#include "launcher/model/shared_texts.h"
#include "launcher/process.h"
#include "launcher/resolve.h"
#include "launcher/sample_rows.h"
#include "launcher/subcommand.h"
#include "lora/lora_stack.h"
#include "lora/open_lora.h"
#include "picture/label.h"
#include "picture/picture_grid.h"
#include "picture/png.h"
#include "report/settings_table.h"
#include "sample/shared_rows.h"
#include "train/shared_files.h"

namespace leco {
namespace {

struct SampleJob {
  SampleSettings settings;  // nothing is left open
  std::unique_ptr<BaseModel> model;
  torch::Device device;
  std::vector<SampleRow> rows = {};
  std::vector<std::vector<size_t>> grids = {};

  std::string path(size_t grid) const { return grid_path(settings.output, grid, grids.size()); }
  std::vector<DrawingRow> drawings() const {
    std::vector<DrawingRow> drawings;
    for (const SampleRow& row : rows) drawings.push_back(row.drawing);
    return drawings;
  }
};

void check_file(std::string_view flag, const std::string& path) {
  const std::filesystem::path folder = std::filesystem::absolute(path).parent_path();
  std::error_code failure;
  if (std::filesystem::is_directory(path, failure))
    throw_usage(fmt::format("--{}={}: that is a folder", flag, path));
  if (!std::filesystem::is_directory(folder, failure) || access(folder.c_str(), W_OK | X_OK) != 0)
    throw_usage(
        fmt::format("--{}={}: the folder '{}' is missing or cannot be written", flag, path, folder.string()));
}

void check_outputs(const SampleJob& job) {
  for (size_t grid = 0; grid < job.grids.size(); ++grid) check_file("output", job.path(grid));
  if (job.settings.latents.empty()) return;
  check_file("latents", job.settings.latents);
  if (job.grids.size() > 1)
    throw_usage(fmt::format(
        "--latents={}: the rows of '{}' differ in size or scales and go to {} grids, which one tensor "
        "cannot hold",
        job.settings.latents, job.settings.sample_prompts, job.grids.size()));
}

void add_loras(LoraStack& stack, const SampleSettings& settings, FileSource& files) {
  for (size_t i = 0; i < settings.network_weights.size(); ++i)
    stack.add(open_lora(files, settings.network_weights[i]), settings.strength(i));
}

// Whatever can be wrong with what the user gave is found here, before weights are read.
SampleJob prepare(const SampleSettings& given, World& world, FileSource& files) {
  SampleJob job{.settings = given,
                .model = open_model(given.model, files),
                .device = device_of_rank(given.model.device, world)};
  const int64_t side = usual_side(job.model->family(), job.model->prediction());
  job.settings.height = given.height.value_or(side);
  job.settings.width = given.width.value_or(side);
  job.settings.model.seed = given.seed;
  resolve(job.settings.model, world, job.device);
  job.rows = rows_of(job.settings, reader_of(files));
  job.grids = grids_of(job.rows);
  do_on_reader(world.host(), [&] { check_outputs(job); });
  {
    const std::unique_ptr<UNet> outline = job.model->load_unet({.device = torch::kMeta});
    LoraStack stack(*outline);
    add_loras(stack, given, files);
  }
  job.model->open_vae(given.vae, Contents::kOutline);
  // What names no GPU then goes to this rank's, and no rank holds memory of another rank's.
  c10::impl::VirtualGuardImpl(job.device.type()).setDevice(job.device);
  make_deterministic(static_cast<int>(*job.settings.model.threads));
  for (const std::string& notice : model_notices(job.settings.model, {}, *job.model)) log::notice(notice);
  return job;
}

std::string title_of(const SampleSettings& settings) {
  std::string title;
  for (size_t i = 0; i < settings.network_weights.size(); ++i) {
    title += (i > 0 ? " + " : "") + std::filesystem::path(settings.network_weights[i]).stem().string();
    if (settings.strength(i) != 1) title += fmt::format(" × {}", settings.strength(i));
  }
  return title;
}

std::string note_of(const SampleSettings& settings, const DrawingRow& row) {
  std::string note =
      fmt::format("{}, {} steps, guidance {}, seed {}, {} × {}", sampler_name(settings.sample_sampler),
                  settings.sample_steps, settings.guidance_scale, *settings.seed, row.width, row.height);
  if (!settings.negative_prompt.empty()) note += fmt::format(", without “{}”", settings.negative_prompt);
  if (settings.has_lora() && settings.start_noise < kTrainTimesteps)
    note += fmt::format(", LoRA from timestep {} down", settings.start_noise);
  return note;
}

void write_grid(const SampleJob& job, size_t index, std::vector<std::vector<Picture>>& pictures) {
  const SampleSettings& settings = job.settings;
  const DrawingRow& first = job.rows[job.grids[index][0]].drawing;
  PictureGrid grid{.title = title_of(settings), .note = note_of(settings, first)};
  for (const double scale : first.scales)
    grid.columns.push_back(settings.has_lora() ? scale_label(scale) : "");
  for (const size_t row : job.grids[index])
    grid.rows.push_back({job.rows[row].label, std::move(pictures[row])});
  PngTexts texts = effective_settings(settings);
  std::erase_if(texts, [](const auto& text) { return text.second.empty(); });
  texts.emplace(texts.begin(), "Software", fmt::format("leco {}", kVersion));
  write_file_atomically(job.path(index), encode_png(draw_grid(grid), texts));
}

void draw(const SampleJob& job, World& world, FileSource& files) {
  const std::vector<DrawingRow> drawings = job.drawings();
  const std::vector<std::string> prompts = prompts_of(drawings);
  const TextSettings text = text_settings(job.settings.model, job.model->family());
  const PromptEmbeddings embeddings =
      encode_on_reader(world.host(), {*job.model, files, text, prompts, job.device});
  const std::unique_ptr<UNet> unet = job.model->load_unet({.device = job.device});
  LoraStack stack(*unet);
  add_loras(stack, job.settings, files);
  const std::unique_ptr<Vae> vae = job.model->load_vae(job.device, job.settings.vae);

  set_collective_limit(std::chrono::hours(24));  // ranks with less to draw wait for the others
  SharedRows shared =
      draw_shared({*unet, embeddings, job.model->prediction(), job.model->zero_terminal_snr()}, *vae,
                  drawings, world.host());
  do_on_reader(world.host(), [&] {
    if (!job.settings.latents.empty())
      write_safetensors(job.settings.latents, {{"latents", at::cat(shared.latents)}}, {});
    for (size_t grid = 0; grid < job.grids.size(); ++grid) write_grid(job, grid, shared.pictures);
  });
  if (world.rank() != 0) return;
  if (!job.settings.latents.empty()) std::puts(job.settings.latents.c_str());
  for (size_t grid = 0; grid < job.grids.size(); ++grid) std::puts(job.path(grid).c_str());
}

}  // namespace

ExitStatus sample_command(World& world, std::span<const std::string> arguments) {
  const SampleSettings settings = parse_sample_flags(arguments);
  if (settings.help) return show(world, sample_help());
  const auto files = share_files(world.host());
  const SampleJob job = prepare(settings, world, *files);
  log::info("effective settings" + aligned_table(effective_settings(job.settings)));
  log::info(fmt::format("model: {}, from {}", job.model->description(), job.model->path()));
  draw(job, world, *files);
  return ExitStatus::kDone;
}

}  // namespace leco
