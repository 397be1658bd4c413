#include "launcher/training/training_job.h"

#include <c10/core/impl/VirtualGuardImpl.h>
#include <fmt/format.h>

#include <utility>

#include "comm/gather_texts.h"
#include "config/prompt_file.h"
#include "config/sample_prompts.h"
#include "core/error.h"
#include "core/log.h"
#include "io/digest.h"
#include "launcher/model/open_model.h"
#include "launcher/process.h"
#include "launcher/resolve.h"
#include "launcher/training/precision.h"
#include "launcher/training/run_record.h"
#include "lora/lora_file.h"
#include "lora/open_lora.h"
#include "plan/device_kinds.h"
#include "sample/prompt_rows.h"
#include "train/shared_files.h"

namespace leco {
namespace {

// Names and shapes of all weights: a file that does not fit is refused in no time.
void check_weights(const TrainSettings& settings, ModelParts& parts, FileSource& files) {
  const std::shared_ptr<UNet> outline = parts.unet({.device = torch::kMeta});
  LoraNetwork network(*outline, lora_layers(settings, *outline, files), /*seed=*/0);
  if (!settings.network_weights.empty()) load_lora(network, open_lora(files, settings.network_weights));
}

std::vector<std::string> prompts_of(const std::vector<PromptPair>& pairs) {
  std::vector<std::string> prompts;
  for (const PromptPair& pair : pairs)
    prompts.insert(prompts.end(), {pair.target, pair.positive, pair.unconditional, pair.neutral});
  return prompts;
}

std::vector<DrawingRow> preview_rows(const TrainSettings& settings, ModelParts& parts, FileSource& files) {
  if (!settings.preview.is_on()) return {};
  const int64_t side = usual_side(parts.base().family(), parts.base().prediction());
  const DrawingRow defaults{.height = side,
                            .width = side,
                            .scales = {-1, 0, 1},
                            .seed = *settings.seed,
                            .sampler = settings.preview.sampler};
  parts.check_vae(settings.preview.vae);  // whether there is one is known before it is needed
  return rows_of(load_sample_prompts(settings.preview.prompts, reader_of(files)), defaults);
}

// On rank 0, from the model's digests there.
std::shared_future<FileDigests> with_network_weights(std::shared_future<FileDigests> of_model,
                                                     const std::string& network_weights) {
  if (network_weights.empty()) return of_model;
  return std::async(std::launch::async, [of_model, network_weights] {
    FileDigests digests = of_model.get();
    digests.emplace_back("network_weights", sha256_of_file(network_weights));
    return digests;
  });
}

// Rank 0 makes the folder, takes the output's name, and, where the run goes on, finds out whether it is the
// same.
void take_output(TrainingJob& job, World& world, FileSource& files, ModelParts& parts,
                 std::vector<std::string>& notices) {
  do_on_reader(world.host(), [&] {
    prepare_output_folder(job.settings);
    job.claim = claim_output(job.settings);
    remove_leftovers(job.settings);
  });
  job.resumption = find_resumption(job.settings, world, files, notices);
  if (job.resumption) take_fixed_settings(job.settings, job.resumption->record);
  resolve(job.settings, world, job.device);
  const auto of_model = parts.digests(/*reads=*/world.rank() == 0);
  do_on_reader(world.host(), [&] {
    job.digests = with_network_weights(of_model, job.settings.network_weights);
    if (!job.resumption) return;
    Provenance provenance = job.provenance();
    provenance.model_files = job.digests.get();
    const StateRecord now = record_of(provenance, 0);
    check_same_run(*job.resumption, now, job.settings, job.start_anew);
    if (auto notice = notice_of_other_arithmetic(*job.resumption, now); !notice.empty())
      notices.push_back(std::move(notice));
  });
}

// One kind of device on all ranks, or the user knows. What the LoRA file records of it.
std::string kind_of_ranks(const TrainSettings& settings, torch::Device device, World& world,
                          std::vector<std::string>& notices) {
  const std::vector<std::string> kinds = gather_texts(world.host(), describe_arithmetic(device));
  const std::string conflict = kind_conflict(kinds);
  if (conflict.empty()) return describe_device(device);
  if (settings.deterministic)
    throw_usage(
        fmt::format("{}: the result would depend on which of them computes what; start ranks on one kind of "
                    "GPU or CPU only, or give --deterministic=false, and the LoRA file records both",
                    conflict));
  notices.push_back(conflict + ": the same run may give other bytes when it is repeated");
  return kinds_text(kinds);
}

void encode(TrainingJob& job, World& world, ModelParts& parts) {
  std::vector<std::string> prompts = prompts_of(job.pairs);
  for (std::string& prompt : prompts_of(job.preview_rows)) prompts.push_back(std::move(prompt));
  job.embeddings =
      parts.encode(world.host(), text_settings(job.settings, job.model->family()), prompts, job.device);
}

}  // namespace

Provenance TrainingJob::provenance() const {
  return {.settings = settings,
          .pairs = pairs,
          .prompts_name = prompts_name,
          .effective = result_settings(settings),
          .family = model->family(),
          .prediction = model->prediction(),
          .device = device_kind};
}

TrainingJob prepare_training(const ParsedTrain& parsed, World& world, FileSource& files, ModelParts& parts) {
  PromptFile prompts = load_prompt_file(parsed.settings.prompts_file, reader_of(files));
  TrainingJob job{.settings = parsed.settings,
                  .pairs = std::move(prompts.pairs),
                  .prompts_name = prompts.recorded_as,
                  .model = &parts.base(),
                  .start_anew = parsed.start_anew,
                  .device = device_of_rank(parsed.settings.device, world),
                  .device_kind = {}};
  job.settings.zero_terminal_snr |= job.model->zero_terminal_snr();
  check_weights(job.settings, parts, files);
  std::vector<std::string> device_notices;
  job.device_kind = kind_of_ranks(job.settings, job.device, world, device_notices);
  // What names no GPU then goes to this rank's, and no rank holds memory of another rank's.
  c10::impl::VirtualGuardImpl(job.device.type()).setDevice(job.device);
  std::vector<std::string> resume_notices;
  take_output(job, world, files, parts, resume_notices);
  make_deterministic(static_cast<int>(*job.settings.threads));
  if (!job.settings.deterministic) allow_nondeterministic();
  job.preview_rows = preview_rows(job.settings, parts, files);
  encode(job, world, parts);
  for (const auto& notices :
       {parsed.notices, prompts.notices, model_notices(job.settings, job.pairs, *job.model),
        precision_notices(job.settings, job.device), resume_notices, device_notices})
    for (const std::string& notice : notices) log::notice(notice);
  return job;
}

}  // namespace leco
