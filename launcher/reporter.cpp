#include "launcher/reporter.h"

#include <fmt/format.h>
#include <unistd.h>

#include <filesystem>

#include "core/log.h"
#include "io/digest.h"

namespace leco {

std::shared_future<FileDigests> digest_in_background(std::vector<WeightFile> files) {
  return std::async(std::launch::async, [files = std::move(files)] {
    FileDigests digests;
    for (const auto& [name, path] : files) digests.emplace_back(name, sha256_of_file(path));
    return digests;
  });
}

Reporter::Reporter(const LoraNetwork& network, Provenance provenance, std::shared_future<FileDigests> digests)
    : network_(network),
      provenance_(std::move(provenance)),
      digests_(std::move(digests)),
      metrics_((std::filesystem::path(settings().output_dir) / (settings().output_name + ".metrics.jsonl"))
                   .string()),
      progress_(settings().max_train_steps, isatty(STDERR_FILENO)) {}

void Reporter::after_step(const StepReport& report) {
  metrics_.write(report);
  if (report.skipped) {
    progress_.interrupt();
    log::info(fmt::format(
        "step {}: the scaled gradient left float16's range; nothing is updated, the loss scale is now {}",
        report.step, report.loss_scale));
  }
  progress_.show(report);
  const bool last = report.step == settings().max_train_steps;
  const bool due = settings().save_every_n_steps && report.step % *settings().save_every_n_steps == 0;
  if (!last && !due) return;
  provenance_.model_files = digests_.get();
  written_.push_back(save_lora(network_, provenance_, report.step));
  progress_.interrupt();
  log::info(fmt::format("saved {}", written_.back()));
}

}  // namespace leco
